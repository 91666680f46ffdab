"""Whatever is ailing: a hand-over makes the world no smaller, its devices healthier, and comes to rest."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous_core import ObservedMember, ObservedPod, Surroundings, decide
from kube_rendezvous_core.liveness.pod_liveness import DEVICE_UNHEALTHY
from unit.core.builders import at, seen, stands

NAMES = [f"m{n}" for n in range(9)]


@given(
    ranked=st.integers(2, 6),
    spares=st.integers(0, 3),
    ailing=st.sets(st.sampled_from(NAMES)),
    room=st.integers(0, 2),
    unit=st.sampled_from([1, 2]),
)
def test_a_hand_over_is_for_a_better_world(ranked: int, spares: int, ailing: set[str], room: int, unit: int) -> None:
    ranked -= ranked % unit
    old, names = NAMES[:ranked], NAMES[: ranked + spares]
    before = stands(" ".join(old), min_nodes=2, max_nodes=ranked + room, node_unit=unit)
    pods = {n: ObservedPod(n, f"pod-of-{n}", "Running", unhealthy_devices="gpu" if n in ailing else "") for n in names}
    around = Surroundings(pods={pod.uid: pod for pod in pods.values()})

    def members(waiting: int | None) -> list[ObservedMember]:
        return [
            seen(n, pod_uid=f"pod-of-{n}", after_round=waiting if waiting is not None and n in old else 0)
            for n in names
        ]

    formed = decide(before, members(None), at(0), surroundings=around).status
    if formed.round == 3:  # those who stay are to come first
        if formed.forming is None or formed.forming.reason != DEVICE_UNHEALTHY:
            idle = set(names[ranked:]) - ailing
            assert unit > 1 or not (idle and ailing & set(old)), "a healthy spare beside a ranked member that ails"
            return
        formed = decide(replace(before, status=formed), members(3), at(61), surroundings=around).status
    assert formed.round == 4
    assert formed.world_size >= ranked
    assert len(set(formed.ranks) & ailing) < len(set(old) & ailing)
    rest = decide(replace(before, status=formed), members(3), at(62), surroundings=around).status
    assert rest.forming is None or rest.forming.reason != DEVICE_UNHEALTHY
