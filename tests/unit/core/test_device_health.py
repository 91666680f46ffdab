"""A member with an unhealthy device is handed over to a healthy spare, and never interrupts anybody for less."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.resources import Condition, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.comings import Coming
from kube_rendezvous.resources.failure_policy import FailurePolicy, Quarantine, QuarantinedPlace
from kube_rendezvous_core import ObservedMember, ObservedPod, Surroundings, decide
from kube_rendezvous_core.observed.device_reading import unhealthy_devices
from kube_rendezvous_core.policy.failure_policy import DEVICE_UNHEALTHY
from unit.core.builders import NOW, at, forming_reason, rendezvous, seen, stands, then, told

ECC = "nvidia.com/gpu GPU-1: ECC errors"


def around(names: str, ailing: str = "") -> Surroundings:
    """The pods of those members, some with an unhealthy device."""
    sick = ailing.split()
    pods = [
        ObservedPod(name, f"pod-of-{name}", "Running", unhealthy_devices=ECC if name in sick else "")
        for name in names.split()
    ]
    return Surroundings(pods={pod.uid: pod for pod in pods})


def joined(names: str, **fields: Any) -> list[ObservedMember]:
    return [seen(name, pod_uid=f"pod-of-{name}", pod_name=name, **fields) for name in names.split()]


def judged(
    before: Rendezvous, names: str, ailing: str, members: Sequence[ObservedMember] | None = None, seconds: float = 0.0
) -> RendezvousStatus:
    """The status after a decision on those members; by default those of the round run, and the others wait."""
    if members is None:
        ranked = [name for name in names.split() if name in before.status.ranks]
        members = [*joined(" ".join(ranked)), *joined(" ".join(n for n in names.split() if n not in ranked))]
    return decide(before, members, at(seconds), surroundings=around(names, ailing)).status


def full(**fields: Any) -> Rendezvous:
    return stands("a b c", **({"max_nodes": 3} | fields))


def condition(status: RendezvousStatus) -> Condition | None:
    return next((c for c in status.conditions if c.type == "DevicesUnhealthy"), None)


# Handed over ------------------------------------------------------------------------------------------------------


def test_with_a_healthy_spare_it_is_handed_over_and_the_sentence_names_device_and_pod() -> None:
    status = judged(full(), "a b c s", "c")
    assert status.forming is not None
    assert (status.forming.reason, status.forming.interrupts) == (DEVICE_UNHEALTHY, True)
    assert status.forming.message == f"c: a device of its pod c is unhealthy ({ECC})"
    assert status.forming.waiting_for == ("a", "b"), "nobody waits for it"


def test_nobody_is_told_to_stop_for_a_spare_before_a_consistent_read_has_shown_it() -> None:
    members = joined("a b c s")
    first = decide(full(), members, NOW, surroundings=around("a b c s", "c"))
    assert first.doubtful
    told_already = then(full(), first)
    assert not decide(told_already, members, NOW, surroundings=around("a b c s", "c")).doubtful
    assert not decide(full(), members, NOW, surroundings=around("a b c s", "")).doubtful


def test_the_spare_gets_its_rank_and_it_stands_aside() -> None:
    before = full(status={"forming": told(reason=DEVICE_UNHEALTHY)})
    waiting = [*joined("a b c", after_round=3), *joined("s")]
    status = judged(before, "a b c s", "c", waiting)
    assert (status.ranks, status.standby) == (("a", "b", "s"), 0)
    assert judged(replace(before, status=status), "a b c s", "c", waiting).forming is None


def test_once_it_is_healthy_again_it_is_a_spare() -> None:
    status = judged(stands("a b s", max_nodes=3), "a b s c", "")
    assert (forming_reason(status), status.standby) == (None, 1)


@pytest.mark.parametrize("rank_zero", ["a", "b c"])
def test_as_many_are_handed_over_as_healthy_ones_can_replace_whatever_their_rank(rank_zero: str) -> None:
    spares = "s" if rank_zero == "a" else "s t"
    status = judged(full(), f"a b c {spares}", rank_zero)
    assert forming_reason(status) == DEVICE_UNHEALTHY
    one_only = judged(full(), "a b c s", "b c")
    assert one_only.forming is not None
    assert one_only.forming.message.startswith("b: ")
    assert "c:" not in one_only.forming.message


def test_a_newcomer_replaces_it_rather_than_that_the_world_grows_beside_it() -> None:
    assert forming_reason(judged(stands("a b c"), "a b c s", "c")) == DEVICE_UNHEALTHY


# Nobody is restarted for less -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "ailing"),
    [
        pytest.param("a b c", "c", id="no spare"),
        pytest.param("a b c s", "c s", id="the spare is no better"),
        pytest.param("a b c", "a b c", id="all of them"),
    ],
)
def test_without_a_healthy_spare_it_goes_on_and_a_condition_says_so(names: str, ailing: str) -> None:
    status = judged(full(), names, ailing)
    assert (status.forming, status.ranks) == (None, ("a", "b", "c"))
    said = condition(status)
    assert said is not None
    assert (said.status, said.reason) == ("True", "NoSpare")
    assert f"c ({ECC})" in said.message


def test_a_spare_too_few_for_a_whole_node_unit_is_none() -> None:
    pair = stands("a b c d", node_unit=2)
    status = judged(pair, "a b c d s", "c d")
    assert status.forming is not None
    assert status.forming.message.startswith("c: ")
    assert "d: a device" not in status.forming.message


def test_a_spare_that_would_get_no_place_is_none() -> None:
    left_out = QuarantinedPlace("node/gpu-7", NOW, "left out")
    policy = FailurePolicy(quarantine=Quarantine(losses=2, window_seconds=600))
    before = full(failure_policy=policy, status={"quarantined": (left_out,)})
    members = [*joined("a b c"), *joined("s", node_name="gpu-7")]
    assert judged(before, "a b c s", "c", members).forming is None
    damped = full(status={"comings": (Coming("pod-of-s", "s", 5, at(-1)),)})
    assert judged(damped, "a b c s", "c").forming is None


def test_where_the_failure_policy_would_close_the_rendezvous_it_goes_on() -> None:
    before = full(failure_policy=FailurePolicy(max_rounds=3))
    status = judged(before, "a b c s", "c")
    assert (status.forming, status.closed) == (None, None)


def test_a_newcomer_with_an_unhealthy_device_neither_makes_the_world_grow_nor_stands_by() -> None:
    status = judged(stands("a b"), "a b n", "n")
    assert (status.forming, status.standby) == (None, 0)


# A round that is formed anyway ------------------------------------------------------------------------------------


def test_the_first_round_goes_without_it_if_it_can() -> None:
    assert judged(rendezvous(), "a b c", "c").ranks == ("a", "b")
    assert judged(rendezvous(min_nodes=3), "a b c", "c").ranks == ("a", "b", "c")


def test_when_another_is_lost_the_spare_replaces_that_one_and_the_world_stays_as_large() -> None:
    before = full(status={"forming": told()})
    assert judged(before, "a b s", "b", [*joined("a b", after_round=3), *joined("s")]).ranks == ("a", "b", "s")


def test_when_the_round_forms_without_one_that_did_not_come_a_healthy_newcomer_goes_before_it() -> None:
    before = stands("a b c d", min_nodes=2, max_nodes=4, node_unit=2, status={"forming": told()})
    waiting = [*joined("a c", after_round=3), *joined("b s")]
    early = judged(before, "a b c s", "c", waiting)
    assert early.forming is not None, "with b, its place is needed"
    late = judged(replace(before, status=early), "a b c s", "c", waiting, seconds=31)
    assert late.ranks == ("a", "s")
    settled = judged(replace(before, status=late), "a s c", "c", [*joined("a s", after_round=3), *joined("c")])
    assert (settled.forming, settled.standby) == (None, 0)


def test_when_the_spare_goes_meanwhile_it_is_taken_in_again() -> None:
    before = full(status={"forming": told(reason=DEVICE_UNHEALTHY)})
    assert judged(before, "a b c", "c", joined("a b c", after_round=3)).ranks == ("a", "b", "c")


# Failure policy, condition ----------------------------------------------------------------------------------------


def test_it_counts_against_its_place_when_it_is_handed_over_and_not_before() -> None:
    policy = FailurePolicy(quarantine=Quarantine(losses=1, window_seconds=600))
    members = [*joined("a b"), *joined("c", node_name="gpu-7")]
    before = full(failure_policy=policy)
    assert judged(before, "a b c", "c", members).recent_losses == ()
    status = judged(before, "a b c s", "c", [*members, *joined("s")])
    assert [(loss.place, loss.reason) for loss in status.recent_losses] == [("node/gpu-7", DEVICE_UNHEALTHY)]
    assert [place.place for place in status.quarantined] == ["node/gpu-7"]


def test_the_condition_is_absent_as_long_as_it_never_held_and_false_afterwards() -> None:
    assert condition(judged(full(), "a b c", "")) is None
    over = condition(judged(replace(full(), status=judged(full(), "a b c", "c")), "a b c", ""))
    assert over is not None
    assert (over.status, over.reason) == ("False", "NoneUnhealthy")


def test_a_closed_rendezvous_moves_nobody() -> None:
    assert judged(full(closed=True), "a b c s", "c").forming is None


# Reading ----------------------------------------------------------------------------------------------------------


def device(health: str, device: str = "GPU-1", message: str | None = None) -> dict[str, str]:
    return {"resourceID": device, "health": health} | ({"message": message} if message else {})


def container(*devices: dict[str, str], resource: str = "nvidia.com/gpu") -> dict[str, Any]:
    return {"name": "trainer", "allocatedResourcesStatus": [{"name": resource, "resources": list(devices)}]}


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        pytest.param([], "", id="no container yet"),
        pytest.param([{"name": "trainer"}], "", id="no devices"),
        pytest.param([container(device("Healthy"))], "", id="healthy"),
        pytest.param([container(device("Unknown"))], "", id="nobody knows"),
        pytest.param([container({"resourceID": "GPU-1"})], "", id="no health"),
        pytest.param([container(device("Unhealthy"))], "nvidia.com/gpu GPU-1", id="of a device plugin"),
        pytest.param(
            [{"name": "sidecar"}, container(device("Unhealthy", "d/p/0", "too\nhot"), resource="claim:gpus/0")],
            "claim:gpus/0 d/p/0: too hot",
            id="of a DRA driver with a message, in the second container",
        ),
        pytest.param(
            [container(*(device("Unhealthy", str(n)) for n in range(8)))],
            "nvidia.com/gpu 0, nvidia.com/gpu 1, nvidia.com/gpu 2 and 5 more",
            id="eight",
        ),
    ],
)
def test_what_a_pod_says_of_its_devices(statuses: list[dict[str, Any]], said: str) -> None:
    assert unhealthy_devices({"containerStatuses": statuses}) == said
