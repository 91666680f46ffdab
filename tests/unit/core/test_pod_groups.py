"""What PodGroups say: whose topology ranks follow, and whether the gang fits the world."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from kube_rendezvous.resources import Condition, Ranking, Rendezvous, RendezvousStatus
from kube_rendezvous_core import (
    Decision,
    ObservedMember,
    ObservedNode,
    ObservedPod,
    ObservedPodGroup,
    OwnerRef,
    Surroundings,
    decide,
)
from kube_rendezvous_core.observed.hindrance import Hindrance
from kube_rendezvous_core.observed.pod_group_reading import group_of, read_pod_group
from unit.core.builders import NOW, rendezvous, seen, stands

GANG, OTHER = OwnerRef("PodGroup", "gang"), OwnerRef("PodGroup", "other")
RACK = ("example.com/rack",)
RACKS = {"a": "r1", "b": "r2", "c": "r1", "d": "r2"}

Groups = Mapping[OwnerRef, ObservedPodGroup | None]
NONE: Mapping[Any, Any] = MappingProxyType({})


def gang(count: int = 0, keys: tuple[str, ...] = ()) -> Groups:
    return {GANG: ObservedPodGroup(GANG, count, keys)}


def decided(
    before: Rendezvous, groups: Groups = NONE, names: str = "a b c d", of: Mapping[str, OwnerRef | None] = NONE
) -> Decision:
    """Members in pods of the gang, unless ``of`` says otherwise, each on a node of its own in two racks."""
    members: list[ObservedMember] = []
    pods: dict[str, ObservedPod] = {}
    for name in names.split():
        members.append(seen(name, pod_uid=f"pod-of-{name}", node_name=f"node-of-{name}"))
        pods[f"pod-of-{name}"] = ObservedPod(name, f"pod-of-{name}", "Running", group=of.get(name, GANG))
    nodes = {f"node-of-{n}": ObservedNode(f"node-of-{n}", {RACK[0]: rack}) for n, rack in RACKS.items()}
    return decide(before, members, NOW, surroundings=Surroundings(pods=pods, nodes=nodes, groups=groups))


def condition(status: RendezvousStatus, kind: str) -> Condition | None:
    return next((c for c in status.conditions if c.type == kind), None)


# When they are read -------------------------------------------------------------------------------------------------


def test_they_are_read_before_a_round_is_published_and_when_a_spec_is_new() -> None:
    assert decided(rendezvous()).owners_to_read == (GANG,)
    assert decided(stands("a b c d", generation=2)).owners_to_read == (GANG,)


def test_they_are_not_read_while_a_round_stands_nor_once_they_are_known_or_refused_nor_where_no_pod_names_one() -> None:
    assert decided(stands("a b c d")).owners_to_read == ()
    assert decided(rendezvous(), gang()).owners_to_read == ()
    assert decided(rendezvous(), {GANG: None}).owners_to_read == ()
    assert decided(rendezvous(), of=dict.fromkeys("abcd")).owners_to_read == ()


# Topology -----------------------------------------------------------------------------------------------------------


def test_ranks_follow_the_topology_of_the_group_and_a_condition_says_so() -> None:
    status = decided(rendezvous(), gang(keys=RACK)).status
    assert (status.ranks, status.domains) == (("a", "c", "b", "d"), ("r1", "r1", "r2", "r2"))
    said = condition(status, "TopologyFromPodGroup")
    assert said is not None
    assert (said.status, said.message) == (
        "True",
        "Ranks follow the node labels example.com/rack, as PodGroup gang says: spec.ranking names none.",
    )


def test_what_the_spec_says_wins() -> None:
    status = decided(rendezvous(ranking=Ranking(("example.com/zone",))), gang(keys=RACK)).status
    assert status.ranks == ("a", "b", "c", "d")
    assert condition(status, "TopologyFromPodGroup") is None


def test_groups_that_say_the_same_are_followed_and_those_that_differ_are_not() -> None:
    of = {"a": GANG, "b": OTHER, "c": OTHER, "d": GANG}
    same = gang(keys=RACK) | {OTHER: ObservedPodGroup(OTHER, 2, RACK)}
    assert decided(rendezvous(), same, of=of).status.ranks == ("a", "c", "b", "d")
    assert decided(rendezvous(), gang(keys=RACK) | {OTHER: None}, of=of).status.ranks == ("a", "b", "c", "d")


def test_while_the_group_is_not_known_the_condition_stays() -> None:
    stood = decided(rendezvous(), gang(keys=RACK)).status
    later = decided(rendezvous(stood), names="a b c d").status
    assert condition(later, "TopologyFromPodGroup") == condition(stood, "TopologyFromPodGroup")
    over = condition(decided(rendezvous(stood), gang()).status, "TopologyFromPodGroup")
    assert over is not None
    assert over.status == "False"


# The gang -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "spec", "reason"),
    [
        pytest.param(0, {"min_nodes": 4}, "", id="each starts by itself"),
        pytest.param(2, {"min_nodes": 2}, "", id="it is minNodes"),
        pytest.param(4, {"min_nodes": 2}, "", id="the first round has all, survivors go on with fewer"),
        pytest.param(2, {"min_nodes": 3}, "GangTooSmall", id="some may run in vain"),
        pytest.param(5, {"min_nodes": 2}, "GangTooLarge", id="some never train"),
        pytest.param(5, {"min_nodes": 2, "max_spares": 1}, "", id="one is a spare"),
    ],
)
def test_a_gang_that_does_not_fit_the_world_is_named(count: int, spec: dict[str, Any], reason: str) -> None:
    said = condition(decided(rendezvous(**spec), gang(count)).status, "GangMismatch")
    assert (said.reason if said is not None else "") == reason
    if said is not None:
        assert f"PodGroup gang starts its pods when {count} of them fit (gang.minCount)" in said.message


def test_of_several_groups_each_starts_by_itself() -> None:
    several = {GANG: ObservedPodGroup(GANG, 1), OTHER: ObservedPodGroup(OTHER, 1)}
    assert condition(decided(rendezvous(), several, of={"a": OTHER}).status, "GangMismatch") is None
    assert condition(decided(rendezvous(), gang(1), of={"a": None}).status, "GangMismatch") is None


# Reading ------------------------------------------------------------------------------------------------------------


def test_what_a_pod_group_asks_for() -> None:
    spec = {
        "schedulingPolicy": {"gang": {"minCount": 4}},
        "schedulingConstraints": {"topology": [{"key": "example.com/rack"}]},
        "disruptionMode": {"all": {}},
    }
    assert read_pod_group(GANG, {"spec": spec}) == ObservedPodGroup(GANG, 4, RACK, together=True)
    assert read_pod_group(GANG, {"spec": {"schedulingPolicy": {"basic": {}}}}) == ObservedPodGroup(GANG)


def test_which_group_a_pod_names() -> None:
    assert group_of({"schedulingGroup": {"podGroupName": "gang"}}) == GANG
    assert group_of({}) is None
    assert group_of({"schedulingGroup": {"podGroupName": "../x"}}) is None


# A gang that waits, and one that goes as a whole --------------------------------------------------------------------


def around(groups: Groups, **pods: dict[str, Any]) -> Surroundings:
    """Pods of the gang by name."""
    standard: dict[str, Any] = {"phase": "Running", "group": GANG}
    made = {name: ObservedPod(**(standard | {"name": name, "uid": f"pod-of-{name}"} | f)) for name, f in pods.items()}
    return Surroundings(pods={pod.uid: pod for pod in made.values()}, groups=groups)


def of_three(surroundings: Surroundings) -> Decision:
    """A round of a, b and c, of which two are enough."""
    members = [seen(name, pod_uid=f"pod-of-{name}") for name in "abc"]
    return decide(stands("a b c"), members, NOW, surroundings=surroundings)


DISRUPTED = {"disruption": "PreemptionByScheduler"}
TOGETHER: Groups = {GANG: ObservedPodGroup(GANG, together=True)}


def test_it_is_read_when_one_of_its_pods_has_to_go_or_cannot_be_scheduled() -> None:
    assert of_three(around(NONE, a={}, b={}, c=DISRUPTED)).owners_to_read == (GANG,)
    unscheduled = {"phase": "Pending", "hindrance": Hindrance.UNSCHEDULABLE}
    assert of_three(around(NONE, a={}, b={}, c={}, d=unscheduled)).owners_to_read == (GANG,)
    assert of_three(around(TOGETHER, a={}, b={}, c=DISRUPTED)).owners_to_read == ()


def test_of_one_that_goes_as_a_whole_no_round_is_formed_of_the_rest() -> None:
    forming = of_three(around(TOGETHER, a={}, b={}, c=DISRUPTED)).status.forming
    assert forming is not None
    assert forming.message.startswith("a: its pod a has to go with its PodGroup gang (c: PreemptionByScheduler)")
    alone = of_three(around(gang(), a={}, b={}, c=DISRUPTED)).status.forming
    assert alone is not None
    assert alone.message.startswith("c: its pod c has to go")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(DISRUPTED | {"phase": "Failed"}, id="failed"),
        pytest.param(DISRUPTED | {"deleting": True, "grace_over": True}, id="gone but for a finalizer"),
    ],
)
def test_pods_that_have_ended_take_nobody_with_them_who_came_after_them(before: dict[str, Any]) -> None:
    assert of_three(around(TOGETHER, a={}, b={}, c={}, old=before)).status.forming is None


def test_one_that_was_never_scheduled_is_named_while_its_pods_wait() -> None:
    waiting: Groups = {GANG: ObservedPodGroup(GANG, 4, held_up="Unschedulable: 3 of 4 fit")}
    pending = {"phase": "Pending", "hindrance": Hindrance.UNSCHEDULABLE}
    named = condition(of_three(around(waiting, a={}, b={}, c={}, d=pending)).status, "PodGroupHeldUp")
    assert named is not None
    assert named.message.startswith("PodGroups have not been scheduled yet: gang (Unschedulable: 3 of 4 fit).")
    assert condition(of_three(around(waiting, a={}, b={}, c={}, d={})).status, "PodGroupHeldUp") is None


def test_a_pod_whose_gate_is_lifted_is_waited_for_by_nobody_while_another_of_its_group_is_gated() -> None:
    """As with Kueue's elastic Jobs that have a PodGroup: the scheduler takes up all of them or none."""
    gated = {"phase": "Pending", "hindrance": Hindrance.GATED, "holdup": "SchedulingGated: kueue.x-k8s.io/elastic-job"}
    lifted = {"phase": "Pending", "holdup": "Pending"}
    around_them = around({GANG: None}, a={"node_name": "n"}, b={"node_name": "n"}, d=lifted, e=gated)
    members = [seen(name, pod_uid=f"pod-of-{name}", after_round=3) for name in "ab"]
    decision = decide(stands("a b c"), members, NOW, surroundings=around_them)
    assert (decision.status.round, decision.status.ranks) == (4, ("a", "b")), "nobody waits for d"
    named = condition(decision.status, "PodsHeldUp")
    assert named is not None
    assert "d (PodGroup gang: SchedulingGated: kueue.x-k8s.io/elastic-job)" in named.message


def test_a_pod_of_another_group_is_not_held_by_a_gate() -> None:
    gated = {"phase": "Pending", "hindrance": Hindrance.GATED, "group": OTHER}
    lifted = {"phase": "Pending", "holdup": "Pending"}
    around_them = around({GANG: None, OTHER: None}, a={}, b={}, d=lifted, e=gated)
    members = [seen(name, pod_uid=f"pod-of-{name}", after_round=3) for name in "ab"]
    decision = decide(stands("a b c"), members, NOW, surroundings=around_them)
    assert decision.status.forming is not None, "last call: d is on its way"


@pytest.mark.parametrize(
    ("mode", "conditions", "together", "held_up"),
    [
        ({}, {}, False, ""),
        ({"single": {}}, {}, False, ""),
        ({"all": {}}, {}, True, ""),
        ({"single": {}}, {"DisruptionTarget": "True"}, True, ""),
        ({}, {"PodGroupInitiallyScheduled": "False"}, False, "Why: because"),
        ({}, {"PodGroupInitiallyScheduled": "True"}, False, ""),
    ],
)
def test_disruption_mode_and_conditions_are_read(
    mode: dict[str, Any], conditions: dict[str, str], together: bool, held_up: str
) -> None:
    said = [{"type": t, "status": s, "reason": "Why", "message": "because"} for t, s in conditions.items()]
    group = read_pod_group(GANG, {"spec": {"disruptionMode": mode or None}, "status": {"conditions": said}})
    assert (group.together, group.held_up) == (together, held_up)
