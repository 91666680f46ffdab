"""The kopf operator: kopf owns the process and the Rendezvous objects; Members come through an own informer.

Only `on.event` is used: it writes nothing, so there are no finalizers and no annotations, and `kubectl delete` never
hangs while the operator is away. Nothing that matters is kept in memory.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import kopf

from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import GROUP, RENDEZVOUS_PLURAL, VERSION
from kube_rendezvous_operator.core import Surroundings
from kube_rendezvous_operator.shell.cluster_cache import NodeCache, PodCache
from kube_rendezvous_operator.shell.event_poster import EventPoster
from kube_rendezvous_operator.shell.member_cache import Key, MemberCache
from kube_rendezvous_operator.shell.reconciler import Reconciler
from kube_rendezvous_operator.shell.rendezvous_cache import RendezvousCache
from kube_rendezvous_operator.shell.wake_queue import WakeQueue
from kube_rendezvous_operator.shell.workers import Workers

_log = logging.getLogger(__name__)


class _EndlessBackoffs:
    """kopf ends the operator when its list of pauses is used up; an API server may be away for longer than any list."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.1, 0.2, 0.5, 1.0)
        while True:
            yield 2.0


class Operator:
    """The parts, wired.

    Args:
        namespaces: to watch; none: the whole cluster.
        workers: reconciling threads.
    """

    def __init__(self, namespaces: Sequence[str] = (), workers: int = 4) -> None:
        self._namespaces = tuple(namespaces)
        self._connection = Connection.open()
        self._queue: WakeQueue[Key] = WakeQueue()
        self._rendezvous = RendezvousCache()
        self._members: dict[str | None, MemberCache] = {
            scope: MemberCache(self._connection, scope, self._queue.wake) for scope in self._namespaces or (None,)
        }
        self._pods: dict[str | None, PodCache] = {
            scope: PodCache(self._connection, scope, self._queue.wake) for scope in self._members
        }
        self._nodes = NodeCache(self._connection, self._wake_all)
        self._events = EventPoster(self._connection)
        reconciler = Reconciler(
            self._connection, self._rendezvous, self._members_of, self._surroundings_of, self._events.post
        )
        self._workers = Workers(self._queue, reconciler, workers)
        self.registry = kopf.OperatorRegistry()
        self._register()

    def run(self, liveness: str | None = None, stop: threading.Event | None = None) -> None:
        """Run until SIGTERM or SIGINT (or ``stop``).

        Args:
            liveness: ``http://ADDRESS:PORT/PATH`` to answer on.
        """
        kopf.run(
            registry=self.registry,
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            liveness_endpoint=liveness,
            stop_flag=stop,
        )

    @property
    def _informers(self) -> tuple[MemberCache | PodCache | NodeCache, ...]:
        return (*self._members.values(), *self._pods.values(), self._nodes)

    def _members_of(self, namespace: str) -> MemberCache:
        return self._members[namespace if self._namespaces else None]

    def _surroundings_of(self, key: Key) -> Surroundings:
        pods = self._pods[key[0] if self._namespaces else None]
        return Surroundings(pods.pods(key), pods.gone(), self._nodes.nodes())

    def _wake_all(self) -> None:
        for key in self._rendezvous.all_keys():
            self._queue.wake(key)

    def _register(self) -> None:
        kopf.on.login(registry=self.registry)(kopf.login_via_client)
        kopf.on.startup(registry=self.registry)(self._start)
        kopf.on.cleanup(registry=self.registry)(self._stop)
        kopf.on.event(GROUP, VERSION, RENDEZVOUS_PLURAL, registry=self.registry)(self._seen)

    async def _start(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.scanning.disabled = True
        settings.posting.enabled = False
        settings.peering.standalone = True
        settings.networking.error_backoffs = _EndlessBackoffs()
        settings.watching.server_timeout = 300
        for informer in self._informers:
            informer.start()
        # Nothing is decided before the Members are known: with none known, everybody would look lost.
        for scope, cache in self._members.items():
            while not await asyncio.to_thread(cache.synced.wait, 10.0):
                where = f"namespace {scope}" if scope else "the cluster"
                _log.warning(
                    "The RendezvousMembers of %s cannot be listed yet: are the CRDs installed and may this "
                    "service account list them?",
                    where,
                )
        self._events.start()
        self._workers.start()

    async def _stop(self, **_: Any) -> None:
        for stop in (self._workers.stop, self._events.stop, *(cache.stop for cache in self._informers)):
            await asyncio.to_thread(stop)

    async def _seen(self, event: Any, **_: Any) -> None:
        """Every event of a Rendezvous: remember the object, and look at it."""
        raw = dict(event["object"])
        meta = raw["metadata"]
        key = (meta["namespace"], meta["name"])
        if event["type"] == "DELETED":
            if self._rendezvous.remove(key, meta["uid"]):
                _log.info("Rendezvous %s/%s was deleted", *key)
            self._queue.wake(key)
            return
        try:
            news = self._rendezvous.put(raw)
        except (KeyError, ValueError, TypeError) as error:
            _log.error("Rendezvous %s/%s cannot be read and is ignored: %r", *key, error)
            return
        if news:
            self._queue.wake(key)
