"""The judge of the invariants sees each kind of breach; one that never complains would prove nothing."""

from typing import Any

import pytest

from integration.invariants import Invariants
from kube_rendezvous.resources import Member, parse_member

SINCE = "2026-05-04T03:02:01Z"
TOLD = {"round": 2, "reason": "HeartbeatLost", "message": "b is silent", "interrupts": True, "since": SINCE}


def version(number: int, round: int, ranks: str, **status: Any) -> dict[str, Any]:
    """A version of a Rendezvous for two or four nodes; each letter of ``ranks`` holds a rank of its newest round."""
    names = list(ranks)
    newest = {"round": round, "reason": "HeartbeatLost", "message": "b is silent", "worldSize": len(names)}
    store = {"member": names[0], "address": "10.0.0.1", "port": 4000 + round} if names else None
    return {
        "metadata": {"namespace": "n", "name": "run", "uid": "u", "resourceVersion": str(number)},
        "spec": {"minNodes": 2, "maxNodes": 4, "nodeUnit": 2},
        "status": {
            "round": round,
            "ranks": names,
            "worldSize": len(names),
            "bootstrapStore": store,
            "history": [newest | {"formedAt": SINCE}] if round else [],
        }
        | status,
    }


def judged(*versions: dict[str, Any], came_back: str = "") -> str:
    """The complaints about these versions, when the members in ``came_back`` waited for round 2 in time."""
    invariants = Invariants()
    for name in came_back:
        invariants.see_member(waits_for_round_2(name))
    for obj in versions:
        invariants.see(obj)
    return "\n".join(invariants.violations())


def waits_for_round_2(name: str) -> Member:
    """A member of round 1 that has joined again in version 2."""
    meta = {"namespace": "n", "name": name, "uid": name, "resourceVersion": "2", "creationTimestamp": SINCE}
    spec = {"rendezvous": "run", "rendezvousUID": "u", "address": "10.0.0.1", "port": 1, "afterRound": 1}
    return parse_member({"metadata": meta, "spec": spec})


def test_a_run_that_loses_a_member_and_goes_on_breaks_no_invariant() -> None:
    first, told, second = version(1, 1, "abcd"), version(2, 1, "abcd", forming=TOLD), version(3, 2, "ac")
    assert judged(version(0, 0, ""), first, told, second, second, came_back="ac") == ""


@pytest.mark.parametrize(("came_back", "complaint"), [("ac", ""), ("a", "round 2 has c, which had not come back")])
def test_what_judges_older_rounds_can_be_forgotten_and_the_next_is_judged_all_the_same(
    came_back: str, complaint: str
) -> None:
    invariants = Invariants()
    for obj in (version(0, 0, ""), version(1, 1, "abcd"), version(2, 1, "abcd", forming=TOLD)):
        invariants.see(obj)
    for name in came_back:
        invariants.see_member(waits_for_round_2(name))
    invariants.forget_older_rounds()
    invariants.see(version(3, 2, "ac"))
    assert complaint in "\n".join(invariants.violations())
    assert bool(invariants.violations()) == bool(complaint)
    found = invariants.violations()
    invariants.forget_older_rounds()
    assert invariants.violations() == found
    (life,) = invariants._lives.values()
    assert (set(life.rounds), invariants._came_back) == ({2}, {})


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        (version(3, 2, "acca"), "ranks a member twice"),
        (version(3, 2, "ac", worldSize=3), "worldSize is 3, and there are 2 ranks"),
        (version(3, 2, "ace"), "has 3 nodes, which its spec does not allow"),
        (version(3, 2, "acefgh"), "has 6 nodes, which its spec does not allow"),
        (version(3, 1, "ac"), "round 1 named"),
        (version(3, 0, ""), "round 0 came after round 1"),
        (version(3, 2, "ac", history=[]), "does not say why there is a round 2"),
        (version(3, 2, "bc", bootstrapStore=None), "is not that of its rank 0"),
        (version(3, 2, "ab"), "has b, which had not come back from round 1"),
        (version(3, 1, "abcd", forming=TOLD | {"message": ""}), "told to stop and not why"),
    ],
)
def test_each_breach_is_told(second: dict[str, Any], complaint: str) -> None:
    assert complaint in judged(version(1, 1, "abcd"), version(2, 1, "abcd", forming=TOLD), second, came_back="ac")


def test_a_world_that_grows_before_its_members_are_told_is_a_breach() -> None:
    grown = version(3, 2, "abcd")
    grown["status"]["history"][0]["reason"] = "Growth"
    assert "nobody had been told" in judged(version(1, 1, "ab"), grown, came_back="ab")


def test_when_members_were_missed_and_none_is_left_the_rounds_before_are_not_judged_by_them() -> None:
    invariants = Invariants()
    for obj in (version(1, 1, "abcd"), version(2, 1, "abcd", forming=TOLD), version(3, 2, "ac")):
        invariants.see(obj)
    invariants.missed_members(0)  # the new list was empty: the run is over
    assert invariants.violations() == []


def test_versions_that_a_cut_watch_missed_are_no_breach() -> None:
    invariants = Invariants()
    invariants.see(version(1, 1, "ab"))
    grown = version(9, 3, "abcd")
    grown["status"]["history"][0]["reason"] = "Growth"
    invariants.see(grown, missed=True)
    assert invariants.violations() == []
