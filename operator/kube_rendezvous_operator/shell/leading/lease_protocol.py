"""Leader election by a `coordination.k8s.io/v1` Lease, without I/O and without a clock: which request to make next, one
answer in.

Rules, in the manner of client-go's leaderelection and stricter where it trusts clocks:

- Wall clocks are never compared. A Lease runs out when it was *seen* unchanged for as long as its holder promised.
- Every write is fenced by the resourceVersion of what was read: of two candidates one is refused.
- The holder believes in its Lease for four fifths of its time, counted from when the request that renewed it was
  *begun*: before anybody else could have seen it unchanged for long enough.
- A Lease that ran out without anybody taking it (the API server was away) is simply renewed: the fence proves that
  nobody led in between. As soon as anything but our own name is seen in it, it is lost for good.
- A holder that finds an older version than it wrote looks at a storage that was set back (`set_back`): what this
  process knows holds no more, and of those that led since nothing can be seen. That is a Lease lost, too.

`kubernetes.leaderelection` was looked at and is not used: it goes by the wall clock, has no validity that could be
asked before a write, never releases, and its `run` cannot be stopped.
"""

import math
from dataclasses import dataclass

from kube_rendezvous.cluster.set_back import is_lower

RENEW_FRACTION = 1 / 3
"""Of the lease time after which it is renewed."""

BELIEF_FRACTION = 4 / 5
"""Of the lease time for which the holder acts on it."""

POLL_FRACTION = 1 / 15
"""Of the lease time between two looks at somebody else's Lease, and between two tries."""

LONGEST_POLL_SECONDS = 1.0
"""So soon a standby sees that the Lease was given back."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a Lease says.

    Args:
        holder: who leads; "" for nobody.
        seconds: for how long the holder may be silent, as it promised.
        transitions: how often the holder has changed.
        acquired: when the holder got it, as the holder wrote it.
        renewed: when it was last renewed, as the holder wrote it; only ever compared for being the same.
        version: resourceVersion.
    """

    holder: str
    seconds: float
    transitions: int = 0
    acquired: str = ""
    renewed: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """GET the Lease; answer with `LeaseProtocol.read`."""


@dataclass(frozen=True, slots=True)
class Write:
    """POST (no version) or PUT the Lease; answer with `written`, `refused` or `failed`.

    Args:
        holder: to write.
        transitions: to write.
        acquiring: the holder changes, so that `acquireTime` is now; otherwise it stays ``acquired``.
        acquired: as it was read.
        version: the fence; "" to create.
    """

    holder: str
    transitions: int
    acquiring: bool
    acquired: str
    version: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do for so many seconds."""

    seconds: float


class LeaseProtocol:
    """The standing of one candidate. All moments are seconds of one clock that never stands still. Not thread-safe, but
    `believes` may be asked from any thread.

    Args:
        identity: unique among all candidates that ever were.
        lease_seconds: the time that this candidate promises.

    Attributes:
        lost: it was the holder, and is so no more, for good.
        set_back: why: the storage was restored from a backup.
    """

    def __init__(self, identity: str, lease_seconds: float) -> None:
        self.identity = identity
        self.lease_seconds = lease_seconds
        self.lost = self.set_back = False
        self._poll = min(LONGEST_POLL_SECONDS, lease_seconds * POLL_FRACTION)
        self._record: LeaseRecord | None = None
        self._read = False
        self._seen_at = -math.inf
        self._look_at = -math.inf
        self._believes_until = -math.inf
        self._renew_at = -math.inf

    @property
    def elected(self) -> bool:
        """Whether it holds the Lease, as far as it knows; it may have run out."""
        return self._believes_until > -math.inf and not self.lost

    @property
    def holder(self) -> str:
        """Whom the Lease named when it was last seen; "" for nobody."""
        return self._record.holder if self._record is not None else ""

    def believes(self, now: float) -> bool:
        """Whether the Lease is surely ours now: asked before everything that only a leader may do."""
        return now < self._believes_until and not self.lost

    def next_step(self, now: float) -> Read | Write | Pause:
        """What to do now."""
        if self.elected:
            if now < self._renew_at:
                return Pause(self._renew_at - now)
            return self._claim() if self._read else Read()
        if now < self._look_at:
            return Pause(self._look_at - now)
        if not self._read:
            return Read()
        return self._claim() if self._may_claim(now) else Read()

    def read(self, record: LeaseRecord | None, now: float) -> None:
        """The answer to a `Read`; None: there is no Lease."""
        if self.elected and (record is None or record.holder != self.identity):
            self.lost = True
        before, self._record, self._read = self._record, record, True
        if self.elected and before is not None and record is not None and is_lower(record.version, before.version):
            self.lost = self.set_back = True
        if not _same(before, record):
            self._seen_at = now
        if not self.elected and not self._may_claim(now):
            self._look_at = now + self._poll

    def written(self, record: LeaseRecord, began: float) -> None:
        """A `Write` was carried out.

        Args:
            record: the answer.
            began: when the request was begun.
        """
        self._record, self._read, self._seen_at = record, True, began
        if self.lost or record.holder != self.identity:
            self._believes_until = -math.inf
            return
        self._believes_until = began + self.lease_seconds * BELIEF_FRACTION
        self._renew_at = began + self.lease_seconds * RENEW_FRACTION

    def refused(self, now: float) -> None:
        """A `Write` met another version: see whose."""
        self._read = False
        if not self.elected:
            self._look_at = now

    def failed(self, now: float) -> None:
        """A request was not answered, or answered by an error; whether a write was carried out is not known."""
        self._read = False
        self._renew_at = self._look_at = now + self._poll

    def release(self) -> Write | None:
        """How to give the Lease back on the way out, so that the next one need not wait; None: it is not ours."""
        if not self.elected or self._record is None or self._record.holder != self.identity:
            return None
        record = self._record
        return Write("", record.transitions, False, record.acquired, record.version)

    def _may_claim(self, now: float) -> bool:
        record = self._record
        if record is None or record.holder in ("", self.identity):
            return True
        return now >= self._seen_at + record.seconds

    def _claim(self) -> Write:
        record = self._record
        if record is None:
            return Write(self.identity, 0, True, "", "")
        acquiring = record.holder != self.identity
        return Write(self.identity, record.transitions + acquiring, acquiring, record.acquired, record.version)


def _same(before: LeaseRecord | None, after: LeaseRecord | None) -> bool:
    """Whether its holder has not been heard in between; what others do to the object (labels, …) is no sign of life."""
    if before is None or after is None:
        return before is after
    return (before.holder, before.renewed, before.transitions) == (after.holder, after.renewed, after.transitions)
