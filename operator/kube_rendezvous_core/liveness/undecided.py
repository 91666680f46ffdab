"""Members that do not say yet which Rendezvous they belong to.

A client that joins with its first request writes the UID with its next one, at once where it matters: so long nobody
counts with it, and nobody deletes it.
"""

from kube_rendezvous.resources import Member
from kube_rendezvous_core.observed.observation import ObservedMember

UNDECIDED_SECONDS = 15.0
"""Three of the intervals in which a client sends heartbeats when it knows of no Rendezvous."""


def went_undecided(member: Member) -> bool:
    """Whether it has gone without having said where it belonged: it found nothing to join."""
    return member.leaving and not member.rendezvous_uid


def may_yet_belong(observed: ObservedMember) -> bool:
    """Whether it may still say where it belongs: it is there, stays, and is not silent about that for long."""
    member = observed.member
    says_nothing = not member.rendezvous_uid and not member.leaving
    return says_nothing and not observed.deleted and observed.known_for < UNDECIDED_SECONDS
