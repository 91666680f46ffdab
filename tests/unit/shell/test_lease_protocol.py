"""The Lease, without I/O: who may lead when, by whose clock, and that never two do."""

import random
from dataclasses import dataclass, replace

import pytest

from kube_rendezvous_operator.shell.leading.lease_protocol import (
    BELIEF_FRACTION,
    RENEW_FRACTION,
    LeaseProtocol,
    LeaseRecord,
    Pause,
    Read,
    Write,
)

LEASE = 15.0
ME = "me"


def held_by(holder: str, version: str = "1", renewed: str = "t1", seconds: float = LEASE, **more: int) -> LeaseRecord:
    return LeaseRecord(holder, seconds, acquired="t0", renewed=renewed, version=version, **more)


@pytest.fixture
def lease() -> LeaseProtocol:
    return LeaseProtocol(ME, LEASE)


@pytest.fixture
def leader(lease: LeaseProtocol) -> LeaseProtocol:
    """Elected by a request that was begun at 100."""
    lease.read(None, 100)
    lease.written(held_by(ME), 100)
    return lease


class TestAStandby:
    def test_looks_first(self, lease: LeaseProtocol) -> None:
        assert lease.next_step(0) == Read()

    def test_makes_the_lease_if_there_is_none(self, lease: LeaseProtocol) -> None:
        lease.read(None, 0)
        assert lease.next_step(0) == Write(ME, 0, True, "", version="")

    def test_takes_a_lease_that_was_given_back_at_once(self, lease: LeaseProtocol) -> None:
        lease.read(held_by("", "7", transitions=3), 0)
        assert lease.next_step(0) == Write(ME, 4, True, "t0", version="7")

    @pytest.mark.parametrize(
        ("after", "claims"), [(0.0, False), (14.9, False), (15.0, True), (3600.0, True)], ids=lambda it: str(it)
    )
    def test_takes_a_lease_only_when_it_saw_it_unchanged_for_its_whole_time(
        self, lease: LeaseProtocol, after: float, claims: bool
    ) -> None:
        lease.read(held_by("other"), 50)
        lease.next_step(50 + after)
        lease.read(held_by("other"), 50 + after)
        assert isinstance(lease.next_step(50 + after), Write) is claims

    def test_counts_from_when_it_saw_the_change_and_not_from_what_the_holder_wrote(self, lease: LeaseProtocol) -> None:
        lease.read(held_by("other", renewed="1970-01-01T00:00:00.000000Z"), 50)
        assert isinstance(lease.next_step(50), Pause), "a clock that is wrong by years is no sign of death"
        lease.read(held_by("other", "2", renewed="1969-01-01T00:00:00.000000Z"), 60)
        assert isinstance(lease.next_step(74.9), Read | Pause), "any change is a sign of life, even backwards"
        lease.read(held_by("other", "2", renewed="1969-01-01T00:00:00.000000Z"), 75)
        assert isinstance(lease.next_step(75), Write)

    def test_goes_by_the_time_that_the_holder_promised(self, lease: LeaseProtocol) -> None:
        lease.read(held_by("other", seconds=60), 0)
        lease.read(held_by("other", seconds=60), 59)
        assert not isinstance(lease.next_step(59), Write)
        lease.read(held_by("other", seconds=60), 60)
        assert isinstance(lease.next_step(60), Write)

    def test_does_not_take_what_others_do_to_the_object_for_a_sign_of_life(self, lease: LeaseProtocol) -> None:
        lease.read(held_by("other", "1"), 0)
        lease.read(held_by("other", "2"), 15)
        assert lease.next_step(15) == Write(ME, 1, True, "t0", version="2")

    def test_that_was_refused_looks_again(self, lease: LeaseProtocol) -> None:
        lease.read(held_by(""), 0)
        lease.refused(0.1)
        assert lease.next_step(0.1) == Read()
        assert not lease.lost, "it never had it"

    def test_looks_often_but_not_all_the_time(self, lease: LeaseProtocol) -> None:
        lease.read(held_by("other"), 0)
        pause = lease.next_step(0)
        assert isinstance(pause, Pause)
        assert 0.5 <= pause.seconds <= 1.0
        assert lease.next_step(pause.seconds) == Read()

    def test_whose_claim_was_not_answered_but_carried_out_leads_after_another(self, lease: LeaseProtocol) -> None:
        lease.read(None, 0)
        lease.failed(10)
        assert lease.next_step(20) == Read()
        lease.read(held_by(ME), 20)
        assert not lease.believes(20), "nobody knows when that request arrived"
        assert lease.next_step(20) == Write(ME, 0, False, "t0", version="1")
        lease.written(held_by(ME, "2"), 20)
        assert lease.believes(20)


class TestALeader:
    def test_believes_for_four_fifths_from_when_the_request_was_begun(self, leader: LeaseProtocol) -> None:
        assert leader.believes(100 + LEASE * BELIEF_FRACTION - 0.01)
        assert not leader.believes(100 + LEASE * BELIEF_FRACTION)

    def test_renews_after_a_third(self, leader: LeaseProtocol) -> None:
        assert leader.next_step(100) == Pause(LEASE * RENEW_FRACTION)
        assert leader.next_step(105) == Write(ME, 0, False, "t0", version="1")
        leader.written(held_by(ME, "2", "t2"), 105)
        assert leader.believes(116)

    def test_whose_renewal_fails_looks_and_tries_again_soon(self, leader: LeaseProtocol) -> None:
        leader.failed(107)
        assert leader.next_step(107) == Pause(1.0)
        assert leader.next_step(108) == Read()
        leader.read(held_by(ME, "2"), 108)
        assert leader.next_step(108) == Write(ME, 0, False, "t0", version="2")

    def test_that_slept_for_longer_than_the_lease_believes_nothing_before_it_has_renewed(
        self, leader: LeaseProtocol
    ) -> None:
        assert not leader.believes(1000)
        assert leader.next_step(1000) == Write(ME, 0, False, "t0", version="1"), "fenced by what it saw before"
        assert not leader.believes(1000)
        leader.written(held_by(ME, "2"), 1000)
        assert leader.believes(1001), "nobody had it in between: the write would have been refused"

    @pytest.mark.parametrize("now", [held_by("other", "9"), held_by("", "9"), None], ids=["taken", "free", "deleted"])
    def test_that_finds_anything_but_its_own_name_has_lost_for_good(
        self, leader: LeaseProtocol, now: LeaseRecord | None
    ) -> None:
        leader.refused(105)
        assert leader.next_step(105) == Read()
        leader.read(now, 105)
        assert leader.lost
        assert not leader.believes(105)
        leader.written(held_by(ME, "10"), 106)
        assert not leader.believes(106)

    def test_that_finds_an_older_version_than_it_wrote_looks_at_a_restored_backup_and_leads_no_more(
        self, leader: LeaseProtocol
    ) -> None:
        leader.written(held_by(ME, "30", "t2"), 105)
        leader.refused(110)
        leader.read(held_by(ME, "29"), 110)
        assert leader.lost
        assert leader.set_back
        assert not leader.believes(110)

    def test_whose_lease_was_changed_or_made_anew_by_others_was_not_set_back(self, leader: LeaseProtocol) -> None:
        leader.read(held_by(ME, "10"), 105)  # somebody has put a label on it
        assert not leader.lost
        leader.read(None, 106)
        leader.read(held_by("other", "12"), 107)
        assert (leader.lost, leader.set_back) == (True, False)

    def test_gives_the_lease_back_fenced_by_what_it_wrote(self, leader: LeaseProtocol) -> None:
        assert leader.release() == Write("", 0, False, "t0", version="1")

    def test_that_lost_it_gives_nothing_back(self, leader: LeaseProtocol) -> None:
        leader.read(held_by("other", "9"), 105)
        assert leader.release() is None


@dataclass
class Candidate:
    """One process in `TestManyCandidates`: asleep until a moment, perhaps with a request under way."""

    lease: LeaseProtocol
    wakes: float = 0.0
    under_way: tuple[Read | Write, float, bool] | None = None
    """The request, when it was begun, and whether it has arrived."""
    answer: LeaseRecord | None = None
    refused: bool = False


class World:
    """Candidates whose requests are lost, late or answered by nobody, who sleep at any point; one true time."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = 0.0
        self.lease: LeaseRecord | None = None
        self.version = 0
        self.candidates = [Candidate(LeaseProtocol(f"c{number}", LEASE)) for number in range(3)]
        self.terms: list[str] = []

    def step(self) -> None:
        self.now += self.dice.choice([0.05, 0.3, 1.0])
        one = self.dice.choice(self.candidates)
        if self.now < one.wakes:
            return
        if self.dice.random() < 0.01:
            one.wakes = self.now + self.dice.choice([1.0, 10.0, 40.0])
        elif one.lease.lost:
            one.lease, one.under_way = LeaseProtocol(f"{one.lease.identity}'", LEASE), None
        elif one.under_way is None:
            step = one.lease.next_step(self.now)
            if not isinstance(step, Pause):
                one.under_way = (step, self.now, False)
        else:
            self._go_on(one, *one.under_way)

    def _go_on(self, one: Candidate, step: Read | Write, began: float, arrived: bool) -> None:
        if not arrived and self.dice.random() < 0.9:
            self._serve(one, step)
            one.under_way = (step, began, True)
            return
        one.under_way = None
        if not arrived or self.dice.random() < 0.05:  # lost on the way there, or on the way back
            one.lease.failed(self.now)
        elif isinstance(step, Read):
            one.lease.read(one.answer, self.now)
        elif one.refused:
            one.lease.refused(self.now)
        else:
            assert one.answer is not None
            one.lease.written(one.answer, began)

    def _serve(self, one: Candidate, step: Read | Write) -> None:
        one.refused = False
        if isinstance(step, Write):
            if step.version != (self.lease.version if self.lease else ""):
                one.refused = True
                return
            self.version += 1
            if self.lease is None or self.lease.holder != step.holder:
                self.terms.append(step.holder)
            self.lease = LeaseRecord(step.holder, LEASE, step.transitions, "t", f"t{self.version}", str(self.version))
        one.answer = replace(self.lease) if self.lease is not None else None


class TestManyCandidates:
    @pytest.mark.parametrize("seed", range(100))
    def test_never_two_believe_at_once_and_always_one_comes(self, seed: int) -> None:
        world = World(seed)
        term_of: dict[str, int] = {}
        for _ in range(6000):
            world.step()
            leaders = [one.lease.identity for one in world.candidates if one.lease.believes(world.now)]
            assert len(leaders) <= 1, (world.now, leaders)
            for leader in leaders:
                term = term_of.setdefault(leader, len(world.terms))
                assert term == len(world.terms), "somebody else had it in between, and it goes on with its old caches"
        assert len(term_of) >= 2, "leadership has changed hands"
