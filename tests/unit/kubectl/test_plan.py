"""The dry run gives what `decide` would give in the end: moved ranks, spares, or no round."""

from typing import Any

import pytest

from kube_rendezvous.resources import LateJoiners, Ranking
from kube_rendezvous_core import ObservedEviction, ObservedNode, ObservedPod, ObservedPodGroup, OwnerRef
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.observation import Observation, SeenRendezvous
from kubectl_rendezvous.plan import Plan, make_plan, members_to_lose, plan_table
from kubectl_rendezvous.pod_reading import CORDONED
from unit.kubectl.observations import gathering, member, members, observe, pod, rendezvous, standing


def planned(seen: SeenRendezvous, names: str, lose: str = "", add: int = 0) -> Plan:
    observation = observe(seen, members=members(names))
    return make_plan(observation, members_to_lose(observation, lose.split()), add)


def test_a_loss_with_a_replacement_moves_one_rank() -> None:
    plan = planned(rendezvous(standing("a b c")), "a b c", lose="b", add=1)
    assert plan.then == ("a", "newcomer-1", "c")
    assert (plan.round, plan.moved, plan.spares) == (4, 1, ())


def test_a_loss_without_one_makes_the_world_smaller() -> None:
    plan = planned(rendezvous(standing("a b c")), "a b c", lose="a")
    assert plan.then == ("c", "b")
    assert "Round 4 would be formed with 2 nodes; 1 of 2 ranks would have another holder than today." in plan.verdict


def test_too_many_losses_form_no_round() -> None:
    plan = planned(rendezvous(standing("a b c")), "a b c", lose="a b")
    assert (plan.formed, plan.then) == (False, ())
    assert plan.verdict == (
        "No round could be formed: 1 node would be left and 2 are required (spec.minNodes 2). "
        "Nothing would train until 1 more node came."
    )


def test_a_spare_takes_the_place() -> None:
    plan = planned(rendezvous(standing("a b", standby=1), max_nodes=2), "a b spare", lose="a")
    assert plan.then == ("spare", "b")


def test_newcomers_make_the_world_grow_up_to_the_limit() -> None:
    plan = planned(rendezvous(standing("a b")), "a b", add=3)
    assert plan.then == ("a", "b", "newcomer-1", "newcomer-2")
    assert plan.spares == ("newcomer-3",)


def test_newcomers_that_must_wait_change_nothing() -> None:
    plan = planned(rendezvous(standing("a b"), late_joiners=LateJoiners.WAIT), "a b", add=1)
    assert (plan.formed, plan.then, plan.spares) == (False, ("a", "b"), ("newcomer-1",))
    assert plan.verdict == "No new round: Round 3 stands with 2 nodes, 1 on standby."


def test_the_first_round_is_planned_from_those_who_wait() -> None:
    plan = planned(rendezvous(gathering(1)), "a", add=1)
    assert (plan.today, plan.then, plan.round) == ((), ("a", "newcomer-1"), 1)


def test_a_closed_rendezvous_forms_nothing() -> None:
    plan = planned(rendezvous(standing("a b"), closed=True), "a b", lose="a", add=1)
    assert plan.verdict.startswith("No round could be formed: run is closed.")
    assert plan.then == ()


def test_a_replacement_comes_to_the_slot_of_the_lost_one() -> None:
    own = (member("a", slot="0"), member("b", slot="1"), member("c", slot="2"))
    observation = observe(rendezvous(standing("a b c", slots=("0", "1", "2"))), members=own)
    assert make_plan(observation, own[1:2], 1).then == ("a", "newcomer-1", "c")


def test_newcomers_on_named_nodes_get_ranks_by_topology() -> None:
    nodes = {name: ObservedNode(name, {"zone": zone}) for name, zone in (("n1", "x"), ("n2", "y"), ("n3", "x"))}
    own = (member("a", node_name="n1", pod="p-0"), member("b", node_name="n2", pod="p-1"))
    status = standing("a b", domains=("x", "y"))
    seen = rendezvous(status, ranking=Ranking(("zone",)), max_nodes=3)
    plan = make_plan(observe(seen, members=own, nodes=nodes), (), 1, ["n3"])
    ring = [{"a": "x", "b": "y", "newcomer-1": "x"}[name] for name in plan.then]
    assert sum(ring[i] != ring[i - 1] for i in range(3)) == 2


def test_the_table_marks_what_moves() -> None:
    plan = planned(rendezvous(standing("a b c")), "a b c", lose="a")
    assert plan_table(plan).rows == (
        ("0", "a", "c", "moved from rank 2"),
        ("1", "b", "b", ""),
        ("2", "c", "-", "no such rank"),
    )


def test_a_pod_stands_for_its_member() -> None:
    observation = observe(rendezvous(standing("a b")), members=(member("a", pod="p-0"), member("b", pod="p-1")))
    assert [m.name for m in members_to_lose(observation, ["p-1"])] == ["b"]


def test_a_name_that_nobody_has_is_an_error_with_near_ones() -> None:
    observation: Observation = observe(rendezvous(standing("a b")), members=(member("trainer-0-x", pod="trainer-0"),))
    with pytest.raises(CommandError, match=r"called trainer-9; did you mean trainer-0"):
        members_to_lose(observation, ["trainer-9"])


def in_pods(names: str, **observed: dict[str, Any]) -> dict[str, Any]:
    """Members in pods of their names, and what the operator would see of each pod."""
    each = names.split()
    pods = [
        pod(name, observed=ObservedPod(name, f"uid-of-{name}", "Running", **observed.get(name, {}))) for name in each
    ]
    return {"members": tuple(member(name, pod=name, node_name=f"n-{name}") for name in each), "pods": tuple(pods)}


def test_a_spare_takes_the_place_of_a_member_with_an_unhealthy_device_and_the_plan_says_so() -> None:
    known = in_pods("a b c spare", b={"unhealthy_devices": "nvidia.com/gpu gpu-0"})
    observation = observe(rendezvous(standing("a b c"), max_nodes=3), **known)
    plan = make_plan(observation, (), 1)
    assert plan.then == ("a", "spare", "c")
    assert "b" in plan.spares
    assert any(text.startswith("Unhealthy devices: b (nvidia.com/gpu gpu-0)") for text in plan.remarks)


def test_without_a_spare_an_unhealthy_device_changes_nothing_and_the_plan_says_so() -> None:
    known = in_pods("a b c", b={"unhealthy_devices": "nvidia.com/gpu gpu-0"})
    plan = make_plan(observe(rendezvous(standing("a b c"), max_nodes=3), **known), known["members"][:1], 0)
    assert plan.then == ("c", "b")
    assert any("goes on until a healthy spare" in text for text in plan.remarks)


def test_ranks_follow_the_pod_group_and_the_plan_says_so() -> None:
    group = OwnerRef("PodGroup", "gang")
    known = in_pods("a b c d", **{name: {"group": group, "node_name": f"n-{name}"} for name in "abcd"})
    nodes = {f"n-{name}": ObservedNode(f"n-{name}", {"rack": f"r{'abcd'.index(name) % 2}"}) for name in "abcd"}
    groups = {group: ObservedPodGroup(group, 2, ("rack",))}
    observation = observe(rendezvous(gathering(4), min_nodes=4), nodes=nodes, groups=groups, **known)
    plan = make_plan(observation, (), 0)
    assert plan.then == ("a", "c", "b", "d")
    assert any("as PodGroup gang says" in text for text in plan.remarks)
    assert any("lower spec.minNodes" in text for text in plan.remarks)


def test_nobody_whose_eviction_is_asked_for_gets_a_place() -> None:
    known = in_pods("a b c")
    asked = {"uid-of-b": ObservedEviction("e", "1", "uid-of-b", asks=True)}
    plan = make_plan(observe(rendezvous(standing("a b c")), evictions=asked, **known), (), 1)
    assert plan.then == ("a", "newcomer-1", "c")
    assert any("No round takes b" in text for text in plan.remarks)


def test_a_node_that_is_only_cordoned_need_not_be_left() -> None:
    nodes = {"n-b": ObservedNode("n-b", draining=CORDONED)}
    plan = make_plan(observe(rendezvous(standing("a b")), nodes=nodes, **in_pods("a b")), (), 1)
    assert plan.then == ("a", "b", "newcomer-1")
