"""What the core is told (`ObservedMember`) and what it answers (`Decision`)."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kube_rendezvous.resources import Member, RendezvousStatus
from kube_rendezvous_core.observed.surroundings import ObservedEviction, OwnerRef


@dataclass(frozen=True, slots=True)
class ObservedMember:
    """A Member and what only its observer can know.

    Args:
        member: the newest version of the object.
        silence: seconds since the observer last received a heartbeat of it, counted by the observer's own
            clock and only while its watch was healthy. The member's own timestamps are never compared.
            Counted anew from when a shorter heartbeat interval is published: until then nobody could keep to it.
        deleted: the object is gone and this is its last version: its farewell still counts.
        proven_silence: how much of the silence came after a consistent read had proven that the API server serves: what
            was before may have been the API server's own. None: all of it.
        first_renewed: its heartbeat time when the observer first saw it; "": not known.
        known_for: seconds since the observer first saw the object, by the same clock as the silence.
        expelled_for: we have deleted it for this reason, which no status says yet; "": we have not.
        expelled_why: the sentence for that.
    """

    member: Member
    silence: float = 0.0
    deleted: bool = False
    proven_silence: float | None = None
    first_renewed: str = ""
    known_for: float = math.inf
    expelled_for: str = ""
    expelled_why: str = ""


class Severity(StrEnum):
    """Type of a Kubernetes Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A Kubernetes Event to post on the Rendezvous. ``reason`` is CamelCase, ``message`` a sentence."""

    severity: Severity
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Expulsion:
    """A Member object to delete, and why.

    ``doubtful``: the verdict rests on something that was *not* observed (a heartbeat): look again before acting on it.
    ``why``: more than the reason, for people.
    """

    member: Member
    reason: str
    doubtful: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class EvictionAnswer:
    """What is said to those who wait with the eviction of a pod until the operator has answered.

    Args:
        eviction: to write it to, unless it has changed since.
        message: a sentence.
        at: when it is so, UTC.
        completes: the pod may go. Otherwise: it is being handed over.
        expected: until when at the latest it will be; None if it is.
    """

    eviction: ObservedEviction
    message: str
    at: datetime
    completes: bool
    expected: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write.

    Args:
        status: the whole new status; equal to the old one if there is nothing to write.
        expel_first: Members to delete before the status write that publishes a round without them, or opens what they
            asked to close, so that a crash between the two leaves nothing ambiguous.
        opens: the rendezvous was closed, and is not any more: who is gone, or asked to close it, is not to be heard
            again. It opens also where one of these cannot be deleted.
        expel_after: Members with a rank to delete after it: the survivors are told first, and what they carry (a
            request to close) is recorded first.
        expel_beside: Members to delete when there is time: nothing in the status rests on them, and whoever makes many
            of them must not hold up a round.
        announcements: Events to post when the status has been written.
        wake_after: seconds until the answer may change by time alone; None: never.
        verdict: one sentence for people; worth a log line when it changes.
        doubtful_losses: ranked names taken for lost because no Member of that name is known. A cache may lag
            behind the API server: look again before acting on it.
        doubtful_closing: members closed or opened the rendezvous, and the newest of them, or that none is left, may
            not be in the cache yet: look again before acting on it.
        doubtful_spares: all are told to stop because others can be taken in, or take the place of one whose device is
            unhealthy, and these may be gone without that the cache knows: look again before anybody is restarted for
            nothing.
        owners_to_read: the decision rests on how many pods these are to make, or on what these groups say of theirs:
            read them, and decide again.
        eviction_answers: to give when the status has been written.
        reads_slices: whether each member of the newest round finds itself in slices, too.
        suspects: members that have been silent for so long that it is time to prove that this silence is theirs: make
            a consistent read, and count from there.
    """

    status: RendezvousStatus
    expel_first: tuple[Expulsion, ...] = ()
    expel_after: tuple[Expulsion, ...] = ()
    expel_beside: tuple[Expulsion, ...] = ()
    opens: bool = False
    announcements: tuple[Announcement, ...] = ()
    wake_after: float | None = None
    verdict: str = ""
    doubtful_losses: tuple[str, ...] = ()
    doubtful_closing: bool = False
    doubtful_spares: bool = False
    eviction_answers: tuple[EvictionAnswer, ...] = ()
    suspects: tuple[str, ...] = ()
    owners_to_read: tuple[OwnerRef, ...] = ()
    reads_slices: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether a consistent read must confirm the decision before anything is written."""
        expulsions = (*self.expel_first, *self.expel_after, *self.expel_beside)
        doubtful = self.doubtful_closing or self.doubtful_spares or bool(self.doubtful_losses)
        return doubtful or any(expulsion.doubtful for expulsion in expulsions)
