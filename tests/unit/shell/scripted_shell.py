"""A reconciler with its caches over a scripted API server."""

from collections.abc import Callable
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError
from kube_rendezvous.resources import RendezvousStatus
from kube_rendezvous_core import NOTHING_KNOWN
from kube_rendezvous_core.slicing import SliceSizes
from kube_rendezvous_operator.shell.monitoring.measurements import Unmeasured
from kube_rendezvous_operator.shell.reconciling.reconciler import Reconciler
from kube_rendezvous_operator.shell.reconciling.round_measurement import RoundMeasurement
from kube_rendezvous_operator.shell.reconciling.sweeper import Sweeper
from kube_rendezvous_operator.shell.watching.member_cache import Key, MemberCache
from kube_rendezvous_operator.shell.watching.rendezvous_cache import RendezvousCache
from unit.scripted_connection import Answer, Asked, ScriptedConnection
from unit.shell.objects import KEY


def gone(asked: Asked) -> dict[str, Any]:
    """An answer: there is no such object."""
    name = asked.path.removesuffix("/status").rsplit("/", 1)[1]
    raise ApiRefusedError(asked.method, 404, "NotFound", f'what.rendezvous.dev "{name}" not found')


class Measured(Unmeasured):
    """Remembers what was counted and timed."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.formed: list[float] = []
        self.told_after: list[float] = []

    def round_ended(self, outcome: str) -> None:
        self.outcomes.append(outcome)

    def round_formed(self, seconds: float) -> None:
        self.formed.append(seconds)

    def told(self, seconds: float) -> None:
        self.told_after.append(seconds)


class Shell:
    """A reconciler over a scripted API server that stores what is written to the Rendezvous."""

    def __init__(self, slice_sizes: SliceSizes | None = None) -> None:
        self.connection = ScriptedConnection()
        self.stored: dict[str, Any] = {}
        """Slices, where a test stores them."""
        self.gone: set[str] = set()
        """Names of slices that were deleted."""
        self.rendezvous = RendezvousCache()
        self.members = MemberCache(self.connection, None, lambda _: None)  # type: ignore[arg-type]
        self.raw: dict[str, Any] = {}
        self.announced: list[str] = []
        self.set_back = 0
        """How often that was found."""
        self.permit: Callable[[], None] = lambda: None
        self.measured = Measured()
        self.asked_at: float | None = None
        self.woken: list[tuple[Key, float]] = []
        self.sweeper = Sweeper(
            self.connection,  # type: ignore[arg-type]
            self.members.forget,
            lambda key, after: self.woken.append((key, after)),
            lambda _, announcement: self.announced.append(announcement.reason),
            lambda: self.permit(),
        )
        self.reconciler = Reconciler(
            self.connection,  # type: ignore[arg-type]
            self.rendezvous,
            lambda _: self.members,
            lambda _: NOTHING_KNOWN,
            lambda _, announcement: self.announced.append(announcement.reason),
            self.sweeper.sweep,
            lambda: self.permit(),
            RoundMeasurement(self.measured, lambda _: self.asked_at),
            slice_sizes=slice_sizes,
            slice_is_gone=lambda _, name: name in self.gone,
            on_set_back=self._is_set_back,
        )
        self.answer("PUT", "/status", self._store)
        self.answer("DELETE", "/rendezvousmembers/", {})

    def answer(self, method: str, part: str, *answers: Answer) -> None:
        """Answer requests of this method, whose path holds this, so."""
        self.connection.answers[(method, part)] = list(answers)

    def serve(self, rendezvous: dict[str, Any] | ApiFailureError, *members: dict[str, Any]) -> None:
        """What consistent reads see."""
        self.answer("GET", "/rendezvousmembers", {"metadata": {"resourceVersion": "99"}, "items": list(members)})
        self.answer("GET", "/rendezvous/run", rendezvous)
        if isinstance(rendezvous, dict):
            self.raw = rendezvous

    def know(self, rendezvous: dict[str, Any] | None, *members: dict[str, Any]) -> None:
        """What the caches know; consistent reads see the same."""
        if rendezvous is not None:
            self.rendezvous.put(rendezvous)
            self.raw = rendezvous
        self.members.relisted(list(members))
        self.serve(rendezvous if rendezvous is not None else gone, *members)

    def run(self) -> float | None:
        """One reconcile, and what is swept beside; the requests of earlier ones are forgotten."""
        self.connection.asked.clear()
        wake_after = self.reconciler.reconcile(KEY)
        while self.sweeper.turn():
            pass
        return wake_after

    @property
    def asked(self) -> list[str]:
        """The requests: method and the last part of the path."""
        return [f"{asked.method} {asked.path.rsplit('/', 1)[1]}" for asked in self.connection.asked]

    @property
    def status(self) -> RendezvousStatus:
        known = self.rendezvous.get(KEY)
        assert known is not None
        return known.rendezvous.status

    def _is_set_back(self) -> None:
        self.set_back += 1

    def _store(self, asked: Asked) -> dict[str, Any]:
        """As the API server: only the status is taken from what is written, and the fence is looked at elsewhere."""
        version = str(int(asked.body["metadata"]["resourceVersion"]) + 100)
        metadata = {**self.raw["metadata"], "resourceVersion": version}
        self.raw = {**self.raw, "metadata": metadata, "status": asked.body["status"]}
        return self.raw
