"""How the operator knows that this node lives: heartbeats, answers to questions, and what its neighbours say."""

from collections.abc import Callable, Sequence
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection
from kube_rendezvous.cluster.refusals import explain_failure
from kube_rendezvous.membership.heartbeat import Heartbeat
from kube_rendezvous.membership.neighbour_watch import NeighbourWatch
from kube_rendezvous.membership.trouble_report import TroubleReport
from kube_rendezvous.resources import Question, Rendezvous
from kube_rendezvous.resources.neighbours import may_need_watching

_INTERVAL_OF_NONE = 5.0
"""Seconds between heartbeats while no Rendezvous is known."""


class SignsOfLife:
    """Given from the first `start` on, until `stop`.

    Args:
        connection: to the API server.
        namespace, name: of the Rendezvous.
        rendezvous: the newest version seen.
        member: the name of the Member that lives; "" for none.
        write: writes a heartbeat of this Member with these fields, within so many seconds.
        read_circle: reads who watch each other in the slice of this digest, within so many seconds; `look` follows.
        watches_neighbours: takes part where members watch each other (`neighbour_watch`).

    Attributes:
        unheard: why the last heartbeat did not arrive; None: it did.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        name: str,
        *,
        rendezvous: Callable[[], Rendezvous | None],
        member: Callable[[], str],
        write: Callable[[str, dict[str, Any], float], None],
        read_circle: Callable[[str, float], None],
        watches_neighbours: bool,
    ) -> None:
        self.unheard: ApiFailureError | None = None
        self._namespace = namespace
        self._rendezvous = rendezvous
        self._member = member
        self._write = write
        self._report = TroubleReport(f"The heartbeat at Rendezvous {namespace}/{name}")
        self._heartbeat = Heartbeat(f"rendezvous-heartbeat-{name}", self._interval, self._renew)
        self._neighbours = NeighbourWatch(
            connection, namespace, name, self.at_once, self._heartbeat.is_well, read_circle
        )
        self._watches_neighbours = watches_neighbours
        self._answered: Question | None = None
        self._known_interval = _INTERVAL_OF_NONE

    def start(self) -> None:
        """Begin with the heartbeats, if they have not begun."""
        self._follow_interval()
        self._heartbeat.start()

    def stop(self) -> None:
        """End the threads. Safe to call twice."""
        self._heartbeat.stop()
        self._neighbours.stop()

    def at_once(self) -> None:
        """Send the next heartbeat now."""
        self._heartbeat.at_once()

    @property
    def complaint(self) -> str:
        """What is wrong with the heartbeats' thread, as a sentence; "" if nothing is."""
        return self._heartbeat.complaint

    def watch_port(self, max_nodes: int, heartbeat_seconds: int) -> int:
        """Where neighbours may ask whether we live; 0: nowhere. Arguments as in the spec of the Rendezvous."""
        watched = self._watches_neighbours and may_need_watching(max_nodes, heartbeat_seconds)
        return self._neighbours.open() if watched else 0

    def look(self, rendezvous: Rendezvous, member: str, circle: Sequence[str], unread: str) -> None:
        """Answer what the operator asks of this Member of ours, and watch whom it is to watch. Arguments as in
        `NeighbourWatch.see`."""
        self._follow_interval()
        asked = next((one for one in rendezvous.status.questions if one.member == member), None)
        if asked is not None and asked != self._answered:
            self._answered = asked
            self.at_once()
        self._neighbours.see(rendezvous, member, circle, unread)

    def _follow_interval(self) -> None:
        interval = self._interval()
        if interval < self._known_interval:
            self._heartbeat.interval_is_shorter()
        self._known_interval = interval

    def _interval(self) -> float:
        rendezvous = self._rendezvous()
        if rendezvous is None:
            return _INTERVAL_OF_NONE
        return float(rendezvous.status.heartbeat_seconds or rendezvous.spec.heartbeat_seconds)

    def _renew(self, timeout: float) -> None:
        name = self._member()
        said = self._neighbours.to_say(name)
        wish: dict[str, Any] = {} if said is None else {"suspects": list(said)}
        try:
            if name:
                self._write(name, wish, timeout)
            if said is not None:
                self._neighbours.was_said(name, said)
        except ApiFailureError as failure:
            self.unheard = failure
            refused = isinstance(failure, ApiRefusedError)
            text = f"{explain_failure(failure, self._namespace)}. Without heartbeats this node is taken for lost"
            self._report.failed(text, at_once=refused)
            raise
        self.unheard = None
        self._report.works()
