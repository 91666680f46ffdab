"""The process: stands by until it leads, runs the operator while it does, and ends in order and in time.

Crash-only: who has lost the Lease exits and is started again as a standby, with nothing of its old term left.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NoReturn

from kube_rendezvous.cluster import Connection
from kube_rendezvous_core.slicing import SliceSizes
from kube_rendezvous_operator.shell.app import Operator
from kube_rendezvous_operator.shell.leading.leader_election import LeaderElection
from kube_rendezvous_operator.shell.monitoring.metrics import CONTENT_TYPE, Metrics
from kube_rendezvous_operator.shell.monitoring.probes import Answer, Probes, probe, sticky
from kube_rendezvous_operator.shell.monitoring.pulses import Pulses

_log = logging.getLogger(__name__)

LEADERSHIP_LOST = 3
"""Exit status of a process that led and has lost its Lease."""

STORAGE_SET_BACK = 4
"""Exit status of a process that believes in what the storage of the API server does not know any more."""

HALT_SECONDS = 0.7
"""For what is under way when the process is told to stop; then the Lease is given back."""

LEASE_THREAD_SECONDS = 0.3
END_SECONDS = 1.7
"""From being told to stop to the end of the process, however the API server or kopf behave."""


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Args:
        namespaces: to watch; none: the whole cluster.
        workers: reconciling threads.
        http: address of probes and metrics; None: none are served.
        leader_elect: whether to write only while holding a Lease.
        lease_name, lease_namespace: of that Lease; no namespace: the one that goes with the credentials.
        lease_seconds: after which others take over from a silent leader.
        watches_nodes: whether Nodes are asked for: not where the right is withheld on purpose.
        hears_evictions: whether Evictions and EvictionRequests are asked for, and answered.
        slice_sizes: which rounds have slices, and of what size.
    """

    namespaces: tuple[str, ...] = ()
    workers: int = 4
    http: str | None = None
    leader_elect: bool = False
    lease_name: str = "kube-rendezvous-operator"
    lease_namespace: str | None = None
    lease_seconds: int = 15
    watches_nodes: bool = True
    hears_evictions: bool = False
    slice_sizes: SliceSizes = field(default_factory=SliceSizes)


class Service:
    """One process of the operator.

    Args:
        connection: to the API server.
        options: of the command line.

    Raises:
        ListenError: the address for probes and metrics is taken.
    """

    def __init__(self, connection: Connection, options: Options) -> None:
        self._pulses = Pulses()
        self._metrics = Metrics(lambda: self._leading)
        connection.on_request = self._metrics.request
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._elected: asyncio.Event | None = None
        self._ending = threading.Lock()
        self._ended: threading.Thread | None = None
        self._exit_status = 0
        self._election: LeaderElection | None = None
        if options.leader_elect:
            self._election = LeaderElection(
                connection,
                options.lease_namespace or connection.namespace,
                options.lease_name,
                _identity(),
                options.lease_seconds,
                on_elected=self._on_elected,
                on_lost=self._on_lost,
                on_set_back=self._on_set_back,
                pulses=self._pulses,
            )
        permit = self._election.permit if self._election is not None else lambda: None
        self._operator = Operator(
            connection,
            options.namespaces,
            options.workers,
            permit,
            self._metrics,
            self._pulses,
            watches_nodes=options.watches_nodes,
            hears_evictions=options.hears_evictions,
            slice_sizes=options.slice_sizes,
            on_set_back=self._on_set_back,
        )
        self._operating = False
        self._metrics.count_at_scrape(self._operator.members_by_state, self._operator.rendezvous_by_state)
        self._probes = Probes(options.http, self._pages()) if options.http is not None else None

    def run(self) -> int:
        """Run until SIGTERM, SIGINT, the loss of the Lease or a storage that was set back.

        Returns:
            The exit status.
        """
        if self._probes is not None:
            self._probes.start()
        try:
            asyncio.run(self._main())
        except BaseException:
            self._exit_status = 1
            raise
        finally:
            self._begin_end()
            assert self._ended is not None
            self._ended.join()
        return self._exit_status

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop, self._elected = asyncio.Event(), asyncio.Event()
        self._own_signals()
        if self._election is not None:
            self._election.start()
            waiting = [asyncio.create_task(event.wait()) for event in (self._stop, self._elected)]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
        if self._stop.is_set():
            return
        self._operating = True
        await self._operator.run(self._stop, self._own_signals)

    def _own_signals(self) -> None:
        assert self._loop is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._told_to_stop, number)

    def _told_to_stop(self, number: signal.Signals) -> None:
        _log.info("%s: stopping", number.name)
        self._begin_end()

    def _on_elected(self) -> None:
        assert self._loop is not None
        assert self._elected is not None
        self._loop.call_soon_threadsafe(self._elected.set)

    def _on_lost(self) -> None:
        self._exit_status = LEADERSHIP_LOST
        self._begin_end()

    def _on_set_back(self) -> None:
        """Whatever is restarted after a restore, so that nothing of before is believed in, we restart ourselves."""
        _log.error(
            "The API server's storage was set back, as by a restored backup: ending, to begin anew without memory"
        )
        if self._ended is None:
            self._exit_status = STORAGE_SET_BACK
        self._begin_end()

    def _begin_end(self) -> None:
        """Stop deciding at once, whatever kopf is at; safe to call twice and from any thread."""
        with self._ending:
            if self._ended is not None:
                return
            # Daemons: neither an API server that is away nor a loop that hangs can hold the end up.
            threading.Thread(target=self._end_in_time, args=(time.monotonic(),), name="end", daemon=True).start()
            self._ended = threading.Thread(target=self._end, name="ending", daemon=True)
            self._ended.start()
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(self._stop.set)

    def _end(self) -> None:
        """First nothing more is written, then the Lease is given back: two never write at once."""
        if self._election is not None:
            self._election.end_term()
        self._operator.halt(HALT_SECONDS)
        if self._election is not None:
            self._election.stop(LEASE_THREAD_SECONDS)
        if self._probes is not None:
            self._probes.stop()

    def _end_in_time(self, began: float) -> NoReturn:
        time.sleep(max(0.0, began + END_SECONDS - time.monotonic()))
        logging.shutdown()
        os._exit(self._exit_status)

    @property
    def _leading(self) -> bool:
        return self._election.leading if self._election is not None else True

    def _pages(self) -> Mapping[str, Callable[[], Answer]]:
        return {
            "/livez": probe(self._complaints, lambda: "alive"),
            "/readyz": probe(self._unready, self._role),
            "/startupz": probe(sticky(self._unready), lambda: "started"),
            "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE, self._metrics.text()),
        }

    def _complaints(self) -> list[str]:
        """Each loop and each thread that does not go on."""
        election = self._election.thread.complaint if self._election is not None else ""
        return [*self._pulses.stuck(), *self._operator.complaints, *filter(None, (election,))]

    def _unready(self) -> list[str]:
        if self._operating or self._election is None:
            return self._operator.unready
        return [] if self._election.reached.is_set() else ["the API server has not answered about the lease yet"]

    def _role(self) -> str:
        if self._election is None:
            return "ready: at work, without leader election"
        if self._election.leading:
            return "ready: leading"
        return f"ready: standing by, {self._election.holder or 'nobody'} leads"


def _identity() -> str:
    """Unique for ever: a process that is started again in the same pod is another candidate."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:12]}"
