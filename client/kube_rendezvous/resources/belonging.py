"""Which Rendezvous a Member belongs to: the one whose UID it carries.

A client that joins with its first request does not know that UID yet and writes it with its first heartbeat. Until then
the Member counts where it cannot be a leftover of an earlier Rendezvous of the same name: all of those were created
before that one was.
"""

from datetime import datetime, timedelta

from kube_rendezvous.resources.member import Member
from kube_rendezvous.resources.rendezvous import Rendezvous

_MARGIN = timedelta(seconds=2)
"""Creation times are cut to whole seconds, each by the clock of one of several API servers."""


def belongs_to(member: Member, rendezvous: Rendezvous) -> bool:
    """Whether the Member is one of this object, and not of another one of its name."""
    if member.rendezvous_uid:
        return member.rendezvous_uid == rendezvous.uid
    return is_certainly_younger(member.created, rendezvous)


def is_certainly_younger(created: datetime, rendezvous: Rendezvous) -> bool:
    """Whether what was created then came after the Rendezvous, whichever clock the two times are of."""
    return rendezvous.created is not None and created - rendezvous.created >= _MARGIN
