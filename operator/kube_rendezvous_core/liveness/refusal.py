"""What is said to a member whose place another one holds."""

from collections.abc import Mapping

from kube_rendezvous.resources import Member, RefusedMember

REFUSED = "MemberRefused"
REFUSED_NAMED = 10


def refusals(holders: Mapping[str, Member]) -> tuple[RefusedMember, ...]:
    """For `status.refused`, the first few by name: the rest is told when these have gone.

    Args:
        holders: by the name of each refused member, who holds its place.
    """
    return tuple(RefusedMember(name, _sentence(name, holders[name])) for name in sorted(holders)[:REFUSED_NAMED])


def _sentence(name: str, holder: Member) -> str:
    slot = f"slot {holder.slot}" if holder.slot else "no slot"
    pod = holder.pod_name or holder.pod_uid
    return (
        f"{name} came to pod {pod} with {slot}, where {holder.name} is already, and lives. "
        "Nodes that share a pod need a slot each: torchrun --rdzv-conf slot=NAME, kube-rendezvous run --slot NAME. A "
        "try-out beside a run needs another --rdzv-id"
    )[:1024]
