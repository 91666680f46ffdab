"""The kopf operator: kopf owns the Rendezvous objects; Members, Pods and Nodes come through own informers.

Only `on.event` is used: it writes nothing, so there are no finalizers and no annotations, and `kubectl delete` never
hangs while the operator is away. Nothing that matters is kept in memory.
"""

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import kopf
from kopf._cogs.clients.errors import APIError
from kopf._cogs.clients.watching import WatchingError
from kopf._core.engines.peering import Identity

from kube_rendezvous.cluster import Backoff, Connection
from kube_rendezvous.printable_text import printable
from kube_rendezvous.resources import GROUP, RENDEZVOUS_PLURAL, Member
from kube_rendezvous.resources.rendezvous_slice import digests_in
from kube_rendezvous_core import Expulsion, OwnerRef, Surroundings
from kube_rendezvous_core.liveness.expulsions import TOO_MANY
from kube_rendezvous_core.slicing import SliceSizes
from kube_rendezvous_operator.shell.kopf_session import log_in
from kube_rendezvous_operator.shell.monitoring.log_reference import about_rendezvous
from kube_rendezvous_operator.shell.monitoring.measurements import Measurements
from kube_rendezvous_operator.shell.monitoring.pulses import Pulses
from kube_rendezvous_operator.shell.reconciling.event_poster import EventPoster
from kube_rendezvous_operator.shell.reconciling.eviction_answerer import EvictionAnswerer
from kube_rendezvous_operator.shell.reconciling.heartbeat_budgets import HeartbeatBudgets
from kube_rendezvous_operator.shell.reconciling.reconciler import Reconciler
from kube_rendezvous_operator.shell.reconciling.round_measurement import RoundMeasurement
from kube_rendezvous_operator.shell.reconciling.sweeper import Sweeper
from kube_rendezvous_operator.shell.reconciling.wake_queue import WakeQueue
from kube_rendezvous_operator.shell.reconciling.workers import Workers
from kube_rendezvous_operator.shell.watching.cluster_cache import NodeCache, PodCache
from kube_rendezvous_operator.shell.watching.eviction_cache import EvictionCache, EvictionRequestCache, Evictions
from kube_rendezvous_operator.shell.watching.member_cache import Key, MemberCache
from kube_rendezvous_operator.shell.watching.optional_informer import OptionalInformer
from kube_rendezvous_operator.shell.watching.owner_reader import OwnerReader
from kube_rendezvous_operator.shell.watching.pod_group_reader import PodGroupReader
from kube_rendezvous_operator.shell.watching.population import members_by_state, rendezvous_by_state
from kube_rendezvous_operator.shell.watching.rendezvous_cache import RendezvousCache
from kube_rendezvous_operator.shell.watching.rendezvous_list import CRDS_AND_RIGHTS, RendezvousList, where
from kube_rendezvous_operator.shell.watching.slice_cache import SliceCache

_log = logging.getLogger(__name__)

SETTLE_SECONDS = 5.0
"""How long the first decisions wait for pods and nodes to be listed: a round that is formed without them may be smaller
than it need be, and its ranks do not follow the topology."""

_LONGEST_KOPF_PAUSE = 5.0
_KOPF_IS_WELL_AFTER = 30.0

KOPF_PULSE = "kopf's event loop"
_POLL_SECONDS = 0.01
_SAY_AFTER_SECONDS = 10.0

_NO_PEER = Identity("kube-rendezvous-operator")
"""kopf wants a name for its peering, which is off. Its own guess asks for the user's, and a pod's user has none."""


class _EndlessBackoffs:
    """kopf ends the operator when its list of pauses is used up; an API server may be away for longer than any list."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.1, 0.2, 0.5, 1.0)
        while True:
            yield 2.0


def _is_not_the_end_of_a_watch(record: logging.LogRecord) -> bool:
    """kopf logs the end of a watch with three tracebacks, as the end of everything; we say it in a line, and go on."""
    return not (record.exc_info and isinstance(record.exc_info[1], _END_OF_A_WATCH))


_END_OF_A_WATCH = (APIError, WatchingError)
_LOGGERS_OF_KOPFS_TASKS = ("kopf._core.reactor.orchestration", "kopf._core.reactor.running")


class Operator:
    """The parts, wired. Begins to watch and to decide when `run` is called, once.

    Args:
        connection: to the API server.
        namespaces: to watch; none: the whole cluster.
        workers: reconciling threads.
        permit: called before every write; raises if this process must not write (any more).
        measure: told what is to be counted and timed.
        pulses: told that the loops go round.
        watches_nodes: whether Nodes are asked for: not where the right is withheld on purpose.
        hears_evictions: whether Evictions and EvictionRequests are asked for, and answered.
        slice_sizes: which rounds have slices, and of what size.
        on_set_back: called when the storage was restored from a backup.
    """

    def __init__(
        self,
        connection: Connection,
        namespaces: Sequence[str],
        workers: int,
        permit: Callable[[], None],
        measure: Measurements,
        pulses: Pulses,
        *,
        watches_nodes: bool = True,
        hears_evictions: bool = False,
        slice_sizes: SliceSizes | None = None,
        on_set_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._namespaces = tuple(namespaces)
        self._permit_leader = permit
        self._pulses = pulses
        # One worker is always left for the other namespaces, and these take turns.
        self._queue: WakeQueue[Key] = WakeQueue(group=lambda key: key[0], most_of_a_group=max(1, workers - 1))
        self._rendezvous = RendezvousCache()
        self._members: dict[str | None, MemberCache] = {
            scope: MemberCache(connection, scope, self._queue.wake, measure, self._sweep_surplus)
            for scope in self._namespaces or (None,)
        }
        self._pods: dict[str | None, PodCache] = {
            scope: PodCache(connection, scope, self._queue.wake, measure) for scope in self._members
        }
        self._nodes = NodeCache(connection, self._wake_all, measure, withheld=not watches_nodes)
        heard = tuple(self._members) if hears_evictions else ()
        self._evictions = Evictions(connection, heard, self._wake_pod, measure)
        self._slices = {scope: SliceCache(connection, scope, self._slice_gone, measure) for scope in self._members}
        self._owners, self._groups = OwnerReader(connection), PodGroupReader(connection)
        self._events = EventPoster(connection)
        self._sweeper = Sweeper(
            connection,
            lambda key, members: self._members_of(key[0]).forget(key, members),
            self._queue.wake,
            self._events.post,
            permit,
        )
        self._list = RendezvousList(connection, namespaces)
        reconciler = Reconciler(
            connection,
            self._rendezvous,
            self._members_of,
            self._surroundings_of,
            self._events.post,
            self._sweeper.sweep,
            self._permit,
            RoundMeasurement(measure, self._queue.asked_at),
            HeartbeatBudgets(self._counts),
            read_owners=self._read_owners,
            answer_evictions=EvictionAnswerer(connection, self._permit).answer,
            slice_sizes=slice_sizes,
            slice_is_gone=lambda namespace, name: self._slices_of(namespace).is_gone(namespace, name),
            on_set_back=on_set_back,
        )
        self._workers = Workers(self._queue, reconciler, workers, measure, pulses)
        self._halted = threading.Event()
        self._at_work = threading.Event()
        self._informed = False
        self._kopf_began = math.inf
        self._kopf_complaint = ""
        self.registry = kopf.OperatorRegistry()
        self._register()

    async def run(self, stop: asyncio.Event, own_signals: Callable[[], None] = lambda: None) -> None:
        """Run until ``stop`` is set. `halt` must be called, too.

        Args:
            stop: ends kopf.
            own_signals: called when kopf has laid its hands on the signals.
        """
        mine = {task for task in asyncio.all_tasks() if not task.done()}
        beating = asyncio.create_task(self._beat())
        backoff = Backoff(first=0.5, limit=_LONGEST_KOPF_PAUSE)
        try:
            while not stop.is_set():
                known = self._rendezvous.uids()  # who is found while the list is under way may be missing from it
                there = set(await self._list.wait(stop))
                if stop.is_set():
                    return
                for key in self._rendezvous.keep_only(there, known):  # kopf tells nobody of those it has not seen go
                    self._queue.wake(key)
                self._kopf_began = time.monotonic()
                try:
                    await self._watch(stop, own_signals, {*mine, beating})
                    return
                except _END_OF_A_WATCH as error:
                    self._kopf_began = math.inf
                    self._list.lost()
                    why = printable(str(error).partition("\n")[0])[:200]
                    _log.warning("The watch of Rendezvous has ended: %s%s", why, CRDS_AND_RIGHTS)
                except Exception as error:
                    if time.monotonic() - self._kopf_began > _KOPF_IS_WELL_AFTER:
                        backoff.reset()
                    await self._rest_from(error, backoff.next_delay(), stop)
        finally:
            beating.cancel()
            self._pulses.end(KOPF_PULSE)

    async def _watch(self, stop: asyncio.Event, own_signals: Callable[[], None], ours: set[asyncio.Task[Any]]) -> None:
        """Let kopf watch, until it is told to stop or cannot any more."""
        tasks = await kopf.spawn_tasks(
            registry=self.registry,
            identity=_NO_PEER,
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
        )
        own_signals()
        await kopf.run_tasks(tasks, ignored=[*ours])

    def halt(self, seconds: float) -> None:
        """Write nothing more and end the threads, ``seconds`` at the most. Safe to call from any thread."""
        end = time.monotonic() + seconds
        self._halted.set()
        for informer in self._informers:
            informer.stop(0.0)
        stops: list[Callable[[float], None]] = [self._workers.stop, self._sweeper.stop, self._events.stop]
        for stop in (*stops, *(informer.stop for informer in self._informers)):
            stop(max(0.0, end - time.monotonic()))

    @property
    def unready(self) -> list[str]:
        """What is still missing before rounds can be formed, each as a sentence."""
        missing = [
            f"the RendezvousMembers of {where(scope)} are not listed {'any more' if cache.synced.is_set() else 'yet'}"
            for scope, cache in self._members.items()
            if cache.refused or not cache.synced.is_set()
        ]
        missing += self._list.unlisted
        return missing or ([] if self._at_work.is_set() else ["the workers are not started yet"])

    @property
    def complaints(self) -> list[str]:
        """What is wrong with the loops of this operator, each as a sentence."""
        threads = (
            *(informer.thread for informer in self._informers),
            self._events.thread,
            self._sweeper.thread,
            *self._workers.threads,
        )
        said = [thread.complaint for thread in threads]
        return [complaint for complaint in (*said, self._kopf_complaint) if complaint]

    def members_by_state(self) -> Mapping[str, int]:
        """How many members there are."""
        return members_by_state(self._rendezvous, self._members.values())

    def rendezvous_by_state(self) -> Mapping[str, int]:
        """How many rendezvous there are."""
        return rendezvous_by_state(self._rendezvous)

    @property
    def _informers(self) -> tuple[MemberCache | OptionalInformer, ...]:
        return (*self._members.values(), *self._optional_informers)

    @property
    def _optional_informers(
        self,
    ) -> tuple[PodCache | NodeCache | SliceCache | EvictionCache | EvictionRequestCache, ...]:
        return (*self._pods.values(), self._nodes, *self._slices.values(), *self._evictions.informers)

    def _permit(self) -> None:
        self._pulses.beat(threading.current_thread().name)  # a long reconcile goes on with each write
        self._permit_leader()

    def _members_of(self, namespace: str) -> MemberCache:
        return self._members[namespace if self._namespaces else None]

    def _slices_of(self, namespace: str) -> SliceCache:
        return self._slices[namespace if self._namespaces else None]

    def _slice_gone(self, key: Key, digest: str) -> None:
        """One that no status points at is of no concern: most of them we have deleted ourselves."""
        known = self._rendezvous.get(key)
        if known is not None and digest in digests_in(known.rendezvous.status):
            self._queue.wake(key)

    def _sweep_surplus(self, key: Key, member: Member) -> None:
        self._sweeper.sweep(key, [Expulsion(member, TOO_MANY, doubtful=False)])

    def _counts(self) -> dict[Key, int]:
        return {key: count for cache in self._members.values() for key, count in cache.counts().items()}

    def _surroundings_of(self, key: Key) -> Surroundings:
        pods = self._pods_of(key)
        return Surroundings(
            pods.pods(key),
            pods.gone(key[0]),
            self._nodes.nodes(),
            nodes_refused=self._nodes.refused,
            owner_refs=pods.owners(key),
            owners=self._owners.known(key, pods.version(key)),
            groups=self._groups.known(key, pods.version(key)),
            evictions=self._evictions.of(key[0]),
            labels=pods.labels(),
        )

    def _pods_of(self, key: Key) -> PodCache:
        return self._pods[key[0] if self._namespaces else None]

    def _read_owners(self, key: Key, refs: Sequence[OwnerRef]) -> None:
        version = self._pods_of(key).version(key)
        for reader in (self._owners, self._groups):
            asked = [ref for ref in refs if ref.kind in reader.collections]
            if asked:
                reader.read(key, version, asked)

    def _wake_all(self) -> None:
        for key in self._rendezvous.all_keys():
            self._queue.wake(key)

    def _wake_pod(self, namespace: str, uid: str) -> None:
        """Of which rendezvous a member in a pod without label is, nobody knows here."""
        key = self._pods_of((namespace, "")).labels().get(uid)
        for one in [key] if key is not None else self._rendezvous.all_keys():
            if one[0] == namespace:
                self._queue.wake(one)

    def _register(self) -> None:
        for name in _LOGGERS_OF_KOPFS_TASKS:
            logging.getLogger(name).addFilter(_is_not_the_end_of_a_watch)
        kopf.on.login(registry=self.registry)(log_in)
        kopf.on.startup(registry=self.registry)(self._start)
        # No version: kopf takes the one that the API server prefers, whichever of ours are served.
        kopf.on.event(group=GROUP, plural=RENDEZVOUS_PLURAL, registry=self.registry)(self._seen)

    async def _start(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.scanning.disabled = True
        settings.posting.enabled = False
        settings.peering.standalone = True
        settings.networking.error_backoffs = _EndlessBackoffs()
        settings.watching.server_timeout = 300
        if self._at_work.is_set():
            return  # kopf begins again; all else has gone on
        if not self._informed:
            self._informed = True
            for informer in self._informers:
                informer.start()
        # Nothing is decided before the Members are known: with none known, everybody would look lost.
        for scope, cache in self._members.items():
            while not await _wait(cache.synced, _SAY_AFTER_SECONDS):
                _log.warning("The RendezvousMembers of %s cannot be listed yet%s", where(scope), CRDS_AND_RIGHTS)
        end = time.monotonic() + SETTLE_SECONDS
        for optional in self._optional_informers:
            await _wait(optional.settled, end - time.monotonic())
        if not self._halted.is_set() and not self._at_work.is_set():
            self._events.start()
            self._sweeper.start()
            self._workers.start()
            self._at_work.set()

    async def _beat(self) -> None:
        while True:
            self._pulses.beat(KOPF_PULSE)
            if time.monotonic() - self._kopf_began > _KOPF_IS_WELL_AFTER:
                self._kopf_complaint = ""
            await asyncio.sleep(1.0)

    async def _rest_from(self, error: Exception, pause: float, stop: asyncio.Event) -> None:
        """Something ended kopf: the rounds go on without it, and it begins again."""
        self._kopf_began = math.inf
        self._kopf_complaint = f"{KOPF_PULSE} has failed and is started again: {printable(repr(error))[:200]}"
        _log.error("%s; tried again in %.1f s", self._kopf_complaint, pause)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)

    async def _seen(self, event: Any, **_: Any) -> None:
        """Every event of a Rendezvous: remember the object, and look at it."""
        raw = dict(event["object"])
        meta = raw["metadata"]
        key = (meta["namespace"], meta["name"])
        if event["type"] == "DELETED":
            if self._rendezvous.remove(key, meta["uid"]):
                _log.info("Rendezvous %s/%s was deleted", *key, extra=about_rendezvous(key))
            self._queue.wake(key)
            return
        try:
            news = self._rendezvous.put(raw)
        except Exception as error:  # whatever is in one object: the next version of it is looked at again
            text = "Rendezvous %s/%s cannot be read and is ignored until it changes: %s"
            _log.error(text, *key, printable(repr(error))[:300], extra=about_rendezvous(key))
            return
        if news:
            self._queue.wake(key)


async def _wait(event: threading.Event, seconds: float) -> bool:
    """Wait for an event of a thread without a thread: one that waits could not be told to stop."""
    end = time.monotonic() + seconds
    while not event.is_set() and time.monotonic() < end:
        await asyncio.sleep(_POLL_SECONDS)
    return event.is_set()
