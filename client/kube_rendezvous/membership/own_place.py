"""The place of this node in its pod: no other process of the pod may be in the same slot (`place_lock`)."""

from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.membership.place_lock import PlaceLock, take_place
from kube_rendezvous.signal_proof import new_lock


class OwnPlace:
    """Taken with the first join, kept by all later ones, left for good with the session. Thread-safe.

    Args:
        namespace, name: of the Rendezvous.
        identity: who this node is. Outside a pod no place is certain, and none is taken.
    """

    def __init__(self, namespace: str, name: str, identity: Identity) -> None:
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._lock = new_lock()
        self._held: PlaceLock | None = None
        self._left = False

    @property
    def held(self) -> bool:
        """Whether it is certain that nobody else is there."""
        with self._lock:
            return self._held is not None

    def take(self, deadline: float) -> None:
        """Make sure that no other process of this pod is in our slot.

        Args:
            deadline: on the monotonic clock, seconds.

        Raises:
            PlaceTakenError: one is.
        """
        me = self._identity
        if not me.pod_uid:
            return
        if not self.held:
            place = take_place(me.pod_uid, self._namespace, self._name, me.slot, give_up=deadline)
            with self._lock:
                self._held = place
        with self._lock:
            # Only now that it is kept: a signal's handler may raise at any line, and a thread would hold it for good.
            if self._held is not None:
                self._held.begin()
            left = self._left
        if left:
            self.leave()

    def is_of(self, member: str) -> None:
        """This Member is in it, for those who ask."""
        with self._lock:
            if self._held is not None:
                self._held.member = member

    def leave(self) -> None:
        """Let it go for good. Safe to call twice."""
        with self._lock:
            self._left = True
            place = self._held
        if place is not None:
            place.release()
        with self._lock:
            self._held = None
