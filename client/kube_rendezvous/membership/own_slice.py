"""What a member knows of the one slice of a large round that is its own. No I/O.

The status and the name of the member say which slice that is (`resources.rendezvous_slice`). What a later round leaves
as it is has the same digest, and is not read again. Where the status has rank keys (`resources.rank_keys`) no member
needs its slice to find its rank: only those who watch each other do, for the names, and they have time.
"""

from dataclasses import dataclass

from kube_rendezvous.resources import MOST_NAMED_IN_STATUS, RendezvousStatus
from kube_rendezvous.resources.rank_keys import rank_by_key
from kube_rendezvous.resources.rendezvous_slice import slice_of


@dataclass(frozen=True, slots=True)
class OwnSlice:
    """A slice that was read.

    Args:
        digest: of the slice; "" before the first.
        name: of the member that read it.
        rank: that it has there; None: it has none, or the slice was gone: then the round is over, or comes to be soon.
        members: all of it, in the order of their ranks.
    """

    digest: str = ""
    name: str = ""
    rank: int | None = None
    members: tuple[str, ...] = ()


NOT_READ = OwnSlice()


def unread_slice(status: RendezvousStatus, name: str, read: OwnSlice) -> str | None:
    """The digest of the slice that must be read to know whether a member is in the newest round; None: it is known."""
    if status.sliced is None or status.sliced.rank_keys:
        return None
    return unread_circle(status, name, read)


def unread_circle(status: RendezvousStatus, name: str, read: OwnSlice) -> str | None:
    """The digest of the slice that names those who are in it beside a member; None: they are known."""
    if status.sliced is None or not status.is_unread:
        return None
    digest = slice_of(name, status.sliced)
    return None if (digest, name) == (read.digest, read.name) else digest


def rank_in(status: RendezvousStatus, name: str, read: OwnSlice) -> int | None:
    """The rank of a member in the newest round, as far as it is known; None: it has none."""
    if status.is_unread and status.sliced is not None and status.sliced.rank_keys:
        return rank_by_key(name, status.sliced.rank_keys)
    if status.is_unread:
        return read.rank if unread_slice(status, name, read) is None else None
    return status.ranks.index(name) if name in status.ranks else None


def may_be_named_in_status(status: RendezvousStatus) -> bool:
    """Whether the round can do without slices: up to a thousand members can, if one of them says that it must."""
    return status.world_size <= MOST_NAMED_IN_STATUS
