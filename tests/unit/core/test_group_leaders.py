"""Workers of a LeaderWorkerSet are handed over with the leader of their group, and not one after the other."""

from datetime import timedelta
from typing import Any

import pytest

from kube_rendezvous_core import Decision, ObservedPod, OwnerRef, Surroundings, decide
from kube_rendezvous_core.observed.pod_reading import read_pod
from kube_rendezvous_core.observed.surroundings import OwnedPlace
from unit.core.builders import NOW, seen, stands

SET = OwnerRef("LeaderWorkerSet", "set")
INDICES = {"a": "0-0", "b": "0-1", "c": "1-0", "d": "1-1"}  # a leads b, c leads d
LABELS = "leaderworkerset.sigs.k8s.io"


def pods(**of: dict[str, Any] | None) -> Surroundings:
    """Two groups of two; what is different of each pod, None: it is gone."""
    made = {
        name: ObservedPod(
            name, f"pod-of-{name}", "Running", **({"owner": SET, "place": place} | dict(of.get(name) or {}))
        )
        for name, index in INDICES.items()
        for place in [OwnedPlace("set", index)]
        if of.get(name, {}) is not None
    }
    return Surroundings(pods={pod.uid: pod for pod in made.values()})


def of_four(surroundings: Surroundings, round_: int = 0) -> Decision:
    """All four have a rank; who joined again after `round_` waits."""
    members = [seen(name, pod_uid=f"pod-of-{name}", after_round=round_) for name in INDICES]
    return decide(stands("a b c d"), members, NOW, surroundings=surroundings)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        pytest.param({"c": {"deleting": True}}, "c, the leader of its group, is being deleted", id="being deleted"),
        pytest.param({"c": {"disruption": "Evicted"}}, "so has c, the leader of its group: Evicted", id="evicted"),
        pytest.param({"c": None}, "the leader of its group 1 is gone", id="gone"),
        pytest.param(
            {"c": {"created": NOW}, "d": {"created": NOW - timedelta(seconds=1)}},
            "c, the leader of its group, was replaced",
            id="replaced",
        ),
    ],
)
def test_a_worker_is_departing_as_soon_as_its_leader_is(of: dict[str, Any], said: str) -> None:
    told = [announcement.message for announcement in of_four(pods(**of)).announcements]
    assert f"d: its pod d has to go ({said})" in told
    assert "d" not in of_four(pods(**of), round_=3).status.ranks


def test_one_round_follows_a_group_that_is_taken_away() -> None:
    formed = of_four(pods(c={"deleting": True}), round_=3)
    assert (formed.status.round, formed.status.ranks) == (4, ("a", "b"))


@pytest.mark.parametrize(
    "of",
    [
        pytest.param({}, id="all is well"),
        pytest.param({"a": None, "c": None}, id="no leader has the label"),
        pytest.param({"c": {"created": NOW}, "d": {"created": NOW}}, id="made within a second"),
        pytest.param({name: {"owner": OwnerRef("StatefulSet", "set")} for name in "abcd"} | {"c": None}, id="no set"),
    ],
)
def test_nothing_is_said_of_a_worker_without_need(of: dict[str, Any]) -> None:
    surroundings = pods(**of)
    members = [seen(pod.name, pod_uid=pod.uid) for pod in surroundings.pods.values()]
    ranked = " ".join(sorted(pod.name for pod in surroundings.pods.values()))
    assert decide(stands(ranked), members, NOW, surroundings=surroundings).status.forming is None


def test_when_a_pod_was_made_is_read_of_such_sets_only() -> None:
    meta = {"name": "set-1-1", "uid": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}
    led = read_pod({"metadata": meta | {"labels": {f"{LABELS}/name": "set", f"{LABELS}/group-index": "1"}}})
    assert led.created is not None
    assert read_pod({"metadata": meta}).created is None
