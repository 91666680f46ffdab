"""Whatever the sizes of the world and the steps undone: each sample of an epoch is taken once."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.survival.sampler import ElasticSampler, Share

LENGTHS, BATCHES, WORLDS = st.integers(1, 40), st.integers(1, 12), st.integers(1, 6)
ROUNDS = st.lists(st.tuples(WORLDS, st.integers(0, 5), st.booleans()), min_size=1, max_size=8)
"""(workers, steps done, whether the step after those was undone by a loss), round after round."""


def step(sampler: ElasticSampler, world_size: int) -> list[Share]:
    return [sampler.share(rank, world_size) for rank in range(world_size)]


def taken(shares: list[Share]) -> list[int]:
    return [index for share in shares for index in share.indices]


@given(LENGTHS, BATCHES, st.integers(), st.booleans(), ROUNDS)
def test_no_sample_of_an_epoch_is_repeated_or_left_out(
    length: int, batch: int, seed: int, shuffle: bool, rounds: list[tuple[int, int, bool]]
) -> None:
    epochs: dict[int, list[int]] = {}
    state = ElasticSampler(length, batch, seed=seed, shuffle=shuffle).state_dict()

    def do_steps(count: int, world_size: int, undone: bool) -> None:
        nonlocal state
        # Everybody of the round is a newcomer that got the state: nothing else may matter.
        workers = [ElasticSampler(length, batch, seed=seed, shuffle=shuffle) for _ in range(world_size)]
        for worker in workers:
            worker.load_state_dict(state)
        for _ in range(count):
            epochs.setdefault(workers[0].epoch, []).extend(
                taken([worker.share(rank, world_size) for rank, worker in enumerate(workers)])
            )
            for worker in workers:
                worker.step_is_done()
        if undone:
            taken([worker.share(rank, world_size) for rank, worker in enumerate(workers)])
        assert len({tuple(worker.state_dict().values()) for worker in workers}) == 1
        state = workers[0].state_dict()

    for world_size, count, undone in rounds:
        do_steps(count, world_size, undone)
    while state["steps_done"]:
        do_steps(1, 3, undone=False)
    assert {epoch: Counter(samples) for epoch, samples in epochs.items()} == {
        epoch: Counter(range(length)) for epoch in range(state["epoch"])
    }


@given(LENGTHS, BATCHES, WORLDS, st.data())
def test_the_mean_of_the_ranks_weighted_means_is_the_mean_of_the_step(
    length: int, batch: int, world_size: int, data: st.DataObject
) -> None:
    losses = data.draw(st.lists(st.floats(-100, 100), min_size=length, max_size=length))
    sampler = ElasticSampler(length, batch)
    for _ in range(sampler.steps_an_epoch):
        shares = step(sampler, world_size)
        of_ranks = [
            share.weight * sum(losses[index] for index in share.indices) / max(1, len(share.indices))
            for share in shares
        ]
        of_all = [losses[index] for index in taken(shares)]
        assert sum(of_ranks) / world_size == pytest.approx(sum(of_all) / len(of_all), abs=1e-9)
        sampler.step_is_done()


@given(LENGTHS, BATCHES, WORLDS)
def test_shares_of_a_step_are_as_equal_as_can_be(length: int, batch: int, world_size: int) -> None:
    sizes = [len(share.indices) for share in step(ElasticSampler(length, batch), world_size)]
    assert sum(sizes) == min(length, batch)
    assert max(sizes) - min(sizes) <= 1


@given(LENGTHS, BATCHES, WORLDS, WORLDS)
def test_a_step_takes_the_same_samples_whatever_the_size_of_the_world(
    length: int, batch: int, world_size: int, other_size: int
) -> None:
    sampler = ElasticSampler(length, batch, seed=5)
    assert taken(step(sampler, world_size)) == taken(step(sampler, other_size))


def test_equal_shares_weigh_1_and_an_empty_one_0() -> None:
    assert [share.weight for share in step(ElasticSampler(8, 8), 4)] == [1.0] * 4
    assert [share.weight for share in step(ElasticSampler(2, 2), 3)] == [1.5, 1.5, 0.0]


def test_the_last_step_of_an_epoch_has_what_is_left() -> None:
    sampler = ElasticSampler(10, 4, shuffle=False)
    steps = [taken([share]) for share in sampler.shares(0, 1)]
    assert steps == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert (sampler.epoch, sampler.steps_done) == (1, 0)


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    def orders(seed: int) -> list[list[int]]:
        sampler = ElasticSampler(50, 50, seed=seed)
        return [taken(list(sampler.shares(0, 1))) for _ in range(2)]

    first, second = orders(1)
    assert orders(1) == [first, second]
    assert first != second
    assert orders(2)[0] not in (first, second)


def test_a_step_that_was_left_by_an_error_is_not_done() -> None:
    sampler = ElasticSampler(12, 4, shuffle=False)

    def train() -> None:
        for share in sampler.shares(0, 2):
            if share.indices == (4, 5):
                raise RuntimeError("a peer was lost")

    with pytest.raises(RuntimeError, match="lost"):
        train()
    assert sampler.steps_done == 1
    assert [share.indices for share in sampler.shares(0, 1)] == [(4, 5, 6, 7), (8, 9, 10, 11)]


@given(LENGTHS, BATCHES, st.integers(0, 30), WORLDS)
def test_a_sampler_goes_on_where_its_state_says(length: int, batch: int, steps: int, world_size: int) -> None:
    sampler, other = ElasticSampler(length, batch, seed=2), ElasticSampler(length, batch, seed=2)
    step(other, world_size)  # has an order in mind already
    for _ in range(steps):
        sampler.step_is_done()
    other.load_state_dict(sampler.state_dict())
    assert other.state_dict() == sampler.state_dict()
    assert step(other, world_size) == step(sampler, world_size)


@pytest.mark.parametrize(("length", "batch"), [(0, 1), (1, 0), (-1, 1)])
def test_numbers_below_1_are_refused(length: int, batch: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        ElasticSampler(length, batch)


def test_a_state_of_other_steps_is_refused_with_what_differs() -> None:
    sampler = ElasticSampler(100, 10, seed=2)
    sampler.step_is_done()
    state = sampler.state_dict()
    with pytest.raises(ValueError, match=r"global_batch=10, not 20; seed=2, not 3: its steps take other samples"):
        ElasticSampler(100, 20, seed=3).load_state_dict(state)
    former = ElasticSampler(100, 20, seed=3)
    former.load_state_dict({"epoch": 1, "steps_done": 2})
    assert (former.epoch, former.steps_done) == (1, 2)


def test_a_body_that_says_by_itself_that_the_step_is_done_repeats_nothing_if_it_fails_afterwards() -> None:
    sampler = ElasticSampler(12, 4, shuffle=False)
    steps = sampler.shares(0, 1)
    for _ in range(2):
        next(steps)
        sampler.step_is_done()
    steps.close()  # the second body fails
    assert [share.indices for share in sampler.shares(0, 1)] == [(8, 9, 10, 11)]
