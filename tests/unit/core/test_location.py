"""On which node a member runs."""

from kube_rendezvous.resources.failure_policy import FailurePolicy, Quarantine
from kube_rendezvous_core import ObservedPod, Surroundings, decide
from kube_rendezvous_core.observed.location import located
from unit.core.builders import NOW, seen, stands


def test_what_a_pod_says_of_its_node_counts_more_than_what_its_member_says() -> None:
    around = Surroundings({"p": ObservedPod("trainer-0", "p", "Running", "real")})
    members = [seen("a", pod_uid="p", node_name="claimed"), seen("b", pod_uid="p"), seen("c", node_name="own")]
    assert [m.member.node_name for m in located(members, around)] == ["real", "real", "own"]


def test_a_pod_without_a_node_or_that_is_not_known_changes_nothing() -> None:
    around = Surroundings({"p": ObservedPod("trainer-0", "p", "Pending")})
    members = [seen("a", pod_uid="p", node_name="own"), seen("b", pod_uid="q", node_name="own")]
    assert list(located(members, around)) == members


def test_a_loss_counts_against_the_node_of_the_pod_although_the_member_does_not_know_its_node() -> None:
    policy = FailurePolicy(quarantine=Quarantine(losses=3, window_seconds=600))
    around = Surroundings({"p": ObservedPod("trainer-0", "p", "Failed", "gpu-7")})
    members = [seen(name, after_round=2, pod_uid="p" if name == "a" else "") for name in "abc"]
    decision = decide(stands("a b c", failure_policy=policy), members, NOW, surroundings=around)
    assert [loss.place for loss in decision.status.recent_losses] == ["node/gpu-7"]
