"""The loop in which a node finds its place: where it stands (`membership.standing`), what is to be done there, and the
waiting in between, until the time-out.

Every turn of it waits, for a change or for its pace, and every turn may be the last: no answer of the API server, and
nobody who undoes what the node does, makes it hurry or go on for ever.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, NoReturn

from kube_rendezvous.api import (
    RendezvousClosedError,
    RendezvousGracefulExitError,
    RendezvousStateError,
    RendezvousTimeoutError,
)
from kube_rendezvous.cluster.refusals import explain_failure
from kube_rendezvous.membership.pace import Pace
from kube_rendezvous.membership.place_lock import PlaceTakenError
from kube_rendezvous.membership.session import Session
from kube_rendezvous.membership.standing import (
    BeingDeleted,
    ClosedForUs,
    MustCreate,
    MustJoin,
    MustRead,
    MustRejoin,
    Place,
    Refused,
    SentHome,
    Standing,
    Waiting,
)
from kube_rendezvous.membership.waiting_report import NO_OPERATOR, UNOBSERVED_SECONDS, WaitingReport
from kube_rendezvous.resources import Rendezvous
from kube_rendezvous.settings import HandlerSettings

_log = logging.getLogger(__name__)

_UNDISTURBED_SECONDS = 60.0
_NO_OBJECT = "there is no such object"


class Settling:
    """One node's way to a place.

    Args:
        session: of the node.
        settings: what the user asked for.
        namespace: of the Rendezvous.
        listen: opens, at the first call, the socket for the bootstrap store; returns its port.
        ended: whether the handler was shut down meanwhile.
        seconds: of the time-out, for its message.
    """

    def __init__(
        self,
        session: Session,
        settings: HandlerSettings,
        namespace: str,
        listen: Callable[[], int],
        ended: Callable[[], bool],
        seconds: float,
    ) -> None:
        self._session = session
        self._outlook = session.outlook
        self._settings = settings
        self._namespace = namespace
        self._what = f"Rendezvous {namespace}/{settings.name}"
        self._listen = listen
        self._ended = ended
        self._seconds = seconds
        self._thrown_out_at = -math.inf
        self._pace = Pace()
        self._report = WaitingReport(self._what)

    def place(self, deadline: float) -> Place:
        """Do what must be done until this node has a place.

        Args:
            deadline: on the monotonic clock, seconds. It does not run for a spare beside a standing round.

        Raises:
            See `kube_rendezvous.api.RendezvousHandler.next_rendezvous`, and `kube_rendezvous.cluster.failures`.
        """
        if self._outlook.rendezvous is not None or self._settings.create == "never":
            self._session.withdraw()
        while True:
            where = self._standing()
            if self._session.found_what_it_joined():
                self._compare_with_wish(self._outlook.rendezvous)
            if isinstance(where, Place):
                return where
            if isinstance(where, ClosedForUs):
                raise RendezvousClosedError(f"{self._what} is closed: {where.why}")
            if isinstance(where, SentHome):
                raise RendezvousGracefulExitError(f"{self._what} does not need this node: {where.why}")
            if isinstance(where, Refused):
                raise RendezvousStateError(f"{self._what} refuses this node: {where.why}")
            deadline = self._go_on(where, deadline)

    def member(self, deadline: float) -> None:
        """Do what must be done until this node has a Member, or no chance of one. Arguments and errors as `place`."""
        while True:
            where = self._standing()
            if not isinstance(where, MustJoin | MustCreate | BeingDeleted):
                return
            if isinstance(where, BeingDeleted) and self._outlook.me.name:
                return
            deadline = self._go_on(where, deadline)

    def _standing(self) -> Standing:
        if self._ended():
            raise RendezvousClosedError(f"{self._what}: this handler was shut down")
        return self._outlook.standing()

    def _go_on(self, where: Standing, deadline: float) -> float:
        """Act or wait, once; return the deadline."""
        if not self._can_act(where):
            return self._wait(where, deadline)
        now = time.monotonic()
        if now >= deadline:
            self.time_out(_why(where))
        pause = self._pace.pause(now)
        if pause > 0:
            self._report.update(_why(where), self._outlook.unobserved_seconds())
            self._session.wait_while(where, min(pause, deadline - now))
            return deadline
        self._pace.acts(now)
        self._act(where, deadline)
        return deadline

    def _can_act(self, where: Standing) -> bool:
        """One that a person had made and deleted is for a person to make again: a client's would lack its settings."""
        if isinstance(where, MustCreate):
            return self._settings.create == "if-missing" and (where.by_client or not self._outlook.me.rendezvous_uid)
        return isinstance(where, MustJoin | MustRejoin | MustRead)

    def _act(self, where: Standing, deadline: float) -> None:
        if isinstance(where, MustJoin):
            if self._outlook.me.name:
                self._thrown_out_at = time.monotonic()
            self._compare_with_wish(self._outlook.rendezvous)
            _log.debug("%s: joining, because %s", self._what, where.why)
            self._join(deadline)
        elif isinstance(where, MustRejoin):
            self._session.rejoin(where.after_round, self._listen(), deadline)
        elif isinstance(where, MustRead):
            self._session.read_slice(where.digest, deadline)
        else:
            self._session.create_rendezvous(self._wished_spec(), deadline)

    def _join(self, deadline: float) -> None:
        try:
            self._session.join(self._listen(), deadline)
        except PlaceTakenError as taken:
            slot = f"slot {self._session.slot}" if self._session.slot else "no slot"
            raise RendezvousStateError(
                f"{self._what} refuses this node: it has {slot}, where {taken} of the same pod is already, and lives. "
                "Nodes that share a pod need a slot each: --rdzv-conf slot=NAME (kube-rendezvous run: --slot NAME). A "
                "try-out beside a run needs another --rdzv-id"
            ) from taken

    def _wait(self, where: Standing, deadline: float) -> float:
        """Wait for a change; return the deadline."""
        if isinstance(where, Waiting) and where.spare and self._is_undisturbed():
            deadline = time.monotonic() + self._settings.join_timeout
        why = _why(where)
        loud = isinstance(where, BeingDeleted)
        self._report.update(why, self._outlook.unobserved_seconds(), at_once=loud)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            self.time_out(why)
        pause = self._report.next_report(self._outlook.unobserved_seconds())
        self._session.wait_while(where, min(remaining, pause))
        return deadline

    def _is_undisturbed(self) -> bool:
        """Nobody is late beside a round that stands. But who is deaf or not heard does not know whether it does, and
        who has just been thrown out may be so again and again."""
        return self._session.trouble is None and time.monotonic() > self._thrown_out_at + _UNDISTURBED_SECONDS

    def _wished_spec(self) -> dict[str, Any]:
        spec = {"minNodes": self._settings.min_nodes, "maxNodes": self._settings.max_nodes}
        if self._settings.last_call_timeout is not None:
            spec["lastCallSeconds"] = self._settings.last_call_timeout
        return spec

    def _compare_with_wish(self, rendezvous: Rendezvous | None) -> None:
        if rendezvous is None:
            return
        theirs = (rendezvous.spec.min_nodes, rendezvous.spec.max_nodes)
        ours = (self._settings.min_nodes, self._settings.max_nodes)
        if theirs != ours:
            _log.warning(
                "%s has minNodes %d and maxNodes %d, which win over --nnodes=%d:%d; "
                "to change them: kubectl -n %s edit rdzv %s",
                self._what,
                *theirs,
                *ours,
                self._namespace,
                self._settings.name,
            )

    def time_out(self, why: str) -> NoReturn:
        """Say what was waited for in vain.

        Raises:
            RendezvousTimeoutError: always.
        """
        text = f"{self._what}: no answer within {self._seconds:.0f} s; {why}"
        unobserved = self._outlook.unobserved_seconds()
        if unobserved >= UNOBSERVED_SECONDS:
            text += "; " + NO_OPERATOR.format(seconds=unobserved)
        if self._session.trouble is not None:
            text += f"; {explain_failure(self._session.trouble, self._namespace)}"
        text += "".join(f"; {complaint}" for complaint in self._session.complaints)
        if isinstance(self._outlook.standing(), MustCreate):
            text += (
                f"; create it: `kubectl -n {self._namespace} apply -f` a Rendezvous manifest, or let the nodes do it "
                "(--rdzv-conf create=if-missing)"
            )
        raise RendezvousTimeoutError(text)


def _why(where: Standing) -> str:
    if isinstance(where, Waiting | BeingDeleted | MustJoin):
        return where.why
    if isinstance(where, MustRead):
        return f"it has to find its rank in round {where.round}"
    return _NO_OBJECT if isinstance(where, MustCreate) else "it has to join again"
