"""Who cannot take part where only slices can name a round (`slicing`).

A client that is older than they are, or that may not read them, would wait for its rank for ever: it is told so.
A rendezvous that may not become so large names everybody in its status while one of them reads no slices. Who holds a
rank of a round that stands keeps it, even if the spec was edited meanwhile; the next round is formed without it.
"""

from collections.abc import Iterable

from kube_rendezvous.resources import MOST_NAMED_IN_STATUS, Member, RefusedMember, Rendezvous


def reads_too_little(rendezvous: Rendezvous, members: Iterable[Member]) -> tuple[RefusedMember, ...]:
    """Those that are refused, each with why, sorted by name.

    Args:
        rendezvous: its spec tells how large it may become.
        members: those that live.
    """
    if rendezvous.spec.max_nodes <= MOST_NAMED_IN_STATUS:
        return ()
    status, ranked = rendezvous.status, frozenset(rendezvous.status.ranks)
    return tuple(
        RefusedMember(member.name, _sentence(member, rendezvous.spec.max_nodes))
        for member in sorted(members, key=lambda one: one.name)
        if not member.reads_slices and (member.name not in ranked or member.after_round >= status.round)
    )


def _sentence(member: Member, max_nodes: int) -> str:
    return (
        f"{member.name} cannot find its rank here: in a rendezvous for more than {MOST_NAMED_IN_STATUS} nodes "
        f"(maxNodes is {max_nodes}) ranks stand in RendezvousSlice objects, and this node reads none. Either its "
        "kube-rendezvous is older than they are: update it in the trainers' image; or its service account may not get "
        "rendezvousslices: give it the chart's role for trainers"
    )[:1024]
