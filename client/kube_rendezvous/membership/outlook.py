"""What a member knows of its Rendezvous and of itself, and how whoever needs something else waits for it.

Three threads meet here: the caller's (join, wait, leave), the watcher's (newest Rendezvous) and the heartbeat's. What
they share is guarded by one lock; every answer is computed by `standing` from the two values kept under it. Nothing
here asks the API server.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError
from kube_rendezvous.membership.interruption import Interruption, interruption
from kube_rendezvous.membership.sight import Sight
from kube_rendezvous.membership.standing import Place, Standing, Standpoint, nodes_waiting, standing
from kube_rendezvous.resources import RENDEZVOUS_PLURAL, Rendezvous
from kube_rendezvous.resources.names import collection_path
from kube_rendezvous.signal_proof import Changes


class Outlook:
    """See the module.

    Args:
        what: the Rendezvous, for messages.
        me: who we are at first.
        on_seen, on_trouble: see `Sight`.

    Attributes:
        changed: guards all that is known, and is notified of every change of it.
        sight: what the watch has shown; to be read with the lock held.
    """

    def __init__(self, what: str, me: Standpoint, on_seen: Callable[[], None], on_trouble: Callable[[], None]) -> None:
        self.changed = Changes()
        self.sight = Sight(what, self.changed, on_seen, on_trouble)
        self._me = me
        self._stood: tuple[Rendezvous | None, Standpoint, Standing] | None = None
        self._over = False

    # What is known, from memory.

    @property
    def me(self) -> Standpoint:
        """What this member knows of itself."""
        with self.changed.lock:
            return self._me

    @property
    def rendezvous(self) -> Rendezvous | None:
        """The newest version seen; None: there is none, or nothing was seen yet."""
        with self.changed.lock:
            return self.sight.rendezvous

    def standing(self) -> Standing:
        """Where this member stands now. Asked again at every wake-up, most of which change nothing of what it follows
        from."""
        with self.changed.lock:
            rendezvous, me = self.sight.rendezvous, self._me
            known = self._stood
            if known is None or known[0] is not rendezvous or known[1] is not me:
                known = self._stood = rendezvous, me, standing(rendezvous, me)
            return known[2]

    def nodes_waiting(self) -> int:
        """How many nodes wait for a round that this running member should join."""
        with self.changed.lock:
            return nodes_waiting(self.sight.rendezvous, self._me)

    def interruption(self) -> Interruption | None:
        """Why this running member must stop; None: it need not."""
        with self.changed.lock:
            return interruption(self.sight.rendezvous, self._me)

    def unobserved_seconds(self) -> float:
        """For how long no operator has looked at the newest spec, as far as this member saw; 0 if one has."""
        with self.changed.lock:
            return self.sight.unobserved_seconds()

    @property
    def is_blind(self) -> bool:
        """Whether the API server lets us list the Rendezvous but not watch it. (A right that goes missing later is
        waited for.)"""
        return not self.sight.watched and isinstance(self.sight.trouble, ApiRefusedError)

    # What changes it.

    def become(self, me: Standpoint) -> None:
        """Know something else of oneself. With the lock held: what another thread waits for may be ours to change."""
        self._me = me
        self.changed.notify_all()

    def took(self, place: Place) -> None:
        """The member goes to this place. With the lock held."""
        status = self.sight.rendezvous.status if self.sight.rendezvous is not None else None
        ranks = status.ranks if status is not None and status.round == place.round else ()
        self.become(self._me.took(place, ranks))

    def is_gone(self, name: str) -> None:
        """The Member of this name is known to be gone."""
        with self.changed.lock:
            if self._me.name == name:
                self.become(replace(self._me, expelled=True))

    # Waiting.

    @property
    def over(self) -> bool:
        """Whether no wait waits any more."""
        return self._over

    def end_waits(self) -> None:
        """Let every wait come back now, and each later one at once: whoever waits is to look why."""
        with self.changed.lock:
            self._over = True
            self.changed.notify_all()

    def wait_until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``true`` (called with the lock held) holds; return whether it does.

        At the most for `seconds`, and until `end_waits` was called.
        """
        self.changed.wait_for(lambda: true() or self._over, seconds)
        with self.changed.lock:
            return true()

    def wait_for_list(self, namespace: str, deadline: float) -> None:
        """Wait until it is known whether the Rendezvous exists.

        Args:
            namespace: of it.
            deadline: on the monotonic clock, seconds.

        Raises:
            ApiRefusedError: the API server will not let us see it.
            ApiUnavailableError: it did not answer until the deadline, or until the waits ended.
        """
        sight = self.sight
        self.wait_until(lambda: sight.listed or isinstance(sight.refusal, ApiRefusedError), deadline - time.monotonic())
        with self.changed.lock:
            if not sight.listed:
                path = collection_path(RENDEZVOUS_PLURAL, namespace)
                raise sight.refusal or ApiUnavailableError(f"GET {path}", 0, "", "no answer until the time-out")
