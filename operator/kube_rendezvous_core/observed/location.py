"""On which node a member runs: what its pod says counts more than what the member says of itself."""

from collections.abc import Sequence
from dataclasses import replace

from kube_rendezvous_core.observed.observation import ObservedMember
from kube_rendezvous_core.observed.surroundings import Surroundings


def located(members: Sequence[ObservedMember], surroundings: Surroundings) -> Sequence[ObservedMember]:
    """The members, each with the node of its pod where the pod is known.

    A member knows its node only if its token or NODE_NAME tells it, and may be mistaken; topology and quarantine are
    judged by the node.
    """
    if not surroundings.pods:
        return members
    return [_located(seen, surroundings) for seen in members]


def _located(seen: ObservedMember, surroundings: Surroundings) -> ObservedMember:
    pod = surroundings.pods.get(seen.member.pod_uid)
    if pod is None or not pod.node_name or pod.node_name == seen.member.node_name:
        return seen
    return replace(seen, member=replace(seen.member, node_name=pod.node_name))
