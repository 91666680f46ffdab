"""While nobody goes, a round formed for growth is larger than the one before and keeps everybody who was in it."""

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.resources import RendezvousStatus
from kube_rendezvous.resources.comings import Coming
from kube_rendezvous_core import decide
from kube_rendezvous_core.policy.comings import COMES_AND_GOES
from unit.core.builders import at, seen, stands, then

NAMES = "abcdefgh"
pods = st.sampled_from([f"pod-{name}" for name in NAMES])
coming = st.builds(Coming, pods, st.just("m"), st.integers(1, 9), st.integers(-300, 0).map(at))


def at_rest(status: RendezvousStatus) -> bool:
    """Nothing is being formed, and nobody waits for having come too often."""
    return status.forming is None and not any(
        c.type == COMES_AND_GOES and c.status == "True" for c in status.conditions
    )


@given(
    comings=st.lists(coming, unique_by=lambda one: one.pod_uid),
    old=st.integers(2, 5),
    number=st.integers(3, len(NAMES)),
    unit=st.integers(1, 2),
    last_call=st.sampled_from([0, 5, 30]),
    chance=st.randoms(use_true_random=False),
)
def test_growth_makes_the_world_larger_and_leaves_nobody_out(
    comings: list[Coming], old: int, number: int, unit: int, last_call: int, chance: Random
) -> None:
    old = old // unit * unit
    names, first = NAMES[: max(old, number)], NAMES[:old]
    spec = {"min_nodes": 2, "max_nodes": len(NAMES), "node_unit": unit, "last_call_seconds": last_call}
    run = stands(" ".join(first), status={"comings": tuple(comings)}, **spec)
    joined = {name: run.status.round - (name in first) for name in names}
    now = at(0)
    for _ in range(700):
        members = [seen(name, after_round=after, pod_uid=f"pod-{name}") for name, after in joined.items()]
        before, run = run, then(run, decide(run, members, now))
        old_world, world = before.status.ranks, run.status.ranks
        if run.status.round > before.status.round:
            assert len(world) > len(old_world), "a round for nothing"
            assert set(world) > set(old_world), "one that did as it was told has lost its place"
            joined |= dict.fromkeys(world, before.status.round)
        to_stop = [name for name in world if joined[name] < run.status.round]
        if run.status.forming is not None and run.status.forming.interrupts and to_stop:
            joined[chance.choice(to_stop)] = run.status.round
            now += timedelta(seconds=chance.choice([0.01, 1.0]))
        elif at_rest(run.status):
            break
        else:
            now += timedelta(seconds=1)
    assert at_rest(run.status)
    assert len(run.status.ranks) == len(names) // unit * unit
