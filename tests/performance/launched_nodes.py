"""Nodes as real processes: a launcher and its workers, in the place of a pod on the API server, or without one."""

import contextlib
import json
import os
import signal
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from integration.pods.pod_run import PodRun, eventually
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import object_path
from kube_rendezvous.survival.surviving import ENGINE_VARIABLE
from performance.local_site import Site
from rendezvous_local.processes import ChildProcess

LIMIT_SECONDS = 120.0
MAX_RESTARTS = 1000
LOG_END = 3000
_LOOK_SECONDS = 0.03
_SCRIPTS = Path(sysconfig.get_path("scripts"))


@dataclass(frozen=True)
class Line:
    """What a worker did; see `performance.trainer`."""

    did: str
    at: float
    pid: int
    round: int = 0
    world: int = 0


@dataclass(frozen=True)
class Way:
    """How nodes run their workers.

    Args:
        name: of the way.
        engine: how survivors take rounds in; "": torchrun restarts them.
    """

    name: str
    engine: str = ""

    def command(self, site: Site, run: str, nodes: int, workers: int) -> list[str]:
        """The launcher's command line, as far as the trainer's own."""
        if self.engine:
            return [
                *(sys.executable, "-m", "kube_rendezvous.command", "run", f"--name={run}"),
                *(f"--namespace={site.namespace}", f"--nnodes=2:{nodes}", "--create=never", "--keep-survivors"),
                *(f"--nproc-per-node={workers}", f"--max-restarts={MAX_RESTARTS}", "--"),
                *(sys.executable, "-m", "performance.trainer", "surviving"),
            ]
        return [
            *(str(_SCRIPTS / "torchrun"), f"--nnodes=2:{nodes}", f"--nproc-per-node={workers}"),
            *("--rdzv-backend=kubernetes", f"--rdzv-id={run}", f"--rdzv-endpoint={site.namespace}"),
            *("--rdzv-conf=create=never", f"--max-restarts={MAX_RESTARTS}", "--monitor-interval=0.1"),
            *("-m", "performance.trainer", "restarting"),
        ]


class LaunchedNode:
    """One launcher with its workers, which never outlive this process.

    Args:
        site: where its pod is made.
        run: the Rendezvous.
        name: of the pod, ending in the number of its place.
        way: how it runs its workers.
        size: how many nodes a round may have.
        workers: how many it starts.
        folder: for its logs.
        in_pod: whether it has a pod.
    """

    def __init__(
        self,
        site: Site,
        run: PodRun,
        name: str,
        way: Way,
        size: int,
        workers: int,
        folder: Path,
        *,
        in_pod: bool = True,
    ) -> None:
        self.name = name
        self._logs = [_Log(folder / f"{name}.{local}.jsonl") for local in range(workers)]
        self._output = folder / f"{name}.log"
        own = {
            "KUBECONFIG": str(site.kubeconfig),
            "POD_NAME": name,
            "POD_IP": "127.0.0.1",
            "GLOO_SOCKET_IFNAME": "lo",
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(folder),
        }
        if in_pod:
            identity = site.pods.run(name, run.name)
            own |= {"POD_UID": identity.pod_uid, "POD_IP": identity.address, "NODE_NAME": identity.node_name}
        if way.engine:
            own[ENGINE_VARIABLE] = way.engine
        self._process = ChildProcess(
            name,
            [*way.command(site, run.name, size, workers), str(folder / name)],
            log=self._output,
            environment={**os.environ, **own},
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Of the launcher."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """Of its workers, by local rank; 0 for one that has not begun."""
        return [log.newest.pid if log.newest else 0 for log in self._logs]

    def newest(self) -> list[Line | None]:
        """The last step of each worker; None: it has done none."""
        return [log.last_step for log in self._read()]

    def since(self, moment: float) -> list[list[Line]]:
        """What each worker has done since then, by local rank."""
        return [[line for line in log.recent if line.at >= moment] for log in self._read()]

    def forget(self) -> None:
        """Forget what was read: `since` is to be asked for later moments only."""
        for log in self._logs:
            log.recent.clear()

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        for pid in (self.pid, *(log.newest.pid for log in self._read() if log.newest)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def check(self) -> None:
        """It must run.

        Raises:
            AssertionError: it has ended; with the end of its log.
        """
        if not self._process.running:
            raise AssertionError(f"{self.name} has ended with status {self._process.exit_code}:\n{self.log_end()}")

    def log_end(self) -> str:
        """What it said last."""
        return self._output.read_text(errors="replace")[-LOG_END:]

    def _read(self) -> "list[_Log]":
        for log in self._logs:
            log.follow()
        return self._logs


class Nodes:
    """All nodes of one run, by place.

    Args:
        site: where.
        name: of the Rendezvous.
        way: how they run.
        count: how many nodes.
        workers: of each.
        folder: for logs; empty.
        in_pods: whether they have pods.
    """

    def __init__(
        self, site: Site, name: str, way: Way, count: int, workers: int, folder: Path, *, in_pods: bool = True
    ) -> None:
        self._site = site
        self._in_pods = in_pods
        self._way = way
        self._folder = folder
        self._size = count
        self._starts = 0
        self._workers = workers
        self.run = PodRun(site.connection, site.namespace, name)
        self.run.create(minNodes=2, maxNodes=count)
        self.of: dict[int, LaunchedNode] = {}

    def start(self, place: int) -> None:
        """Start a node in this place."""
        self._starts += 1
        name = f"{self.run.name}-{self._starts}-{place}"
        self.of[place] = LaunchedNode(
            *(self._site, self.run, name, self._way, self._size, self._workers, self._folder), in_pod=self._in_pods
        )

    def lose(self, place: int) -> float:
        """Kill a node and delete its pod by force; its Member if it has no pod.

        Returns:
            The moment before, on the monotonic clock.
        """
        node = self.of.pop(place)
        began = time.monotonic()
        node.kill()
        if self._in_pods:
            self._site.pods.delete(node.name, grace_seconds=0)
        else:
            self._delete_member_of(node)
        return began

    def delete_member(self, place: int) -> None:
        """Delete the Member of a node that goes on living."""
        self._delete_member_of(self.of[place])

    def _delete_member_of(self, node: LaunchedNode) -> None:
        named = f"{node.name}-"
        name = eventually(
            lambda: next((it for it in self.run.members() if it.startswith(named)), ""), f"Member of {node.name}"
        )
        self._site.connection.request("DELETE", object_path(MEMBER_PLURAL, self._site.namespace, name))

    def wait(self, what: str, holds: Callable[[], bool], seconds: float = LIMIT_SECONDS) -> None:
        """Wait.

        Raises:
            AssertionError: it did not come in time, or a node has ended; with the ends of their logs.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            for node in self.of.values():
                node.check()
            if time.monotonic() > deadline:
                ends = "\n".join(f"--- {node.name}\n{node.log_end()}" for node in self.of.values())
                raise AssertionError(f"not within {seconds:.0f} s: {what}\n{ends}")
            time.sleep(_LOOK_SECONDS)

    def all_in(self, world: int) -> bool:
        """Whether the last step of each worker was done in a world of that size."""
        return all(line and line.world == world for node in self.of.values() for line in node.newest())

    def pids(self) -> list[list[int]]:
        """Of all workers."""
        return [self.of[place].pids for place in sorted(self.of)]

    def end(self) -> None:
        """Kill them, and take away what they left on the API server."""
        for node in self.of.values():
            node.kill()
        self.run.close()
        self._site.clear()


@contextmanager
def nodes(
    site: Site, name: str, way: Way, count: int, workers: int, folder: Path, *, in_pods: bool = True
) -> Iterator[Nodes]:
    """Nodes that end with the block."""
    made = Nodes(site, name, way, count, workers, folder, in_pods=in_pods)
    try:
        for place in range(count):
            made.start(place)
        yield made
    finally:
        made.end()


class _Log:
    """Follows one worker's file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_bytes = 0
        self.recent: list[Line] = []
        self.newest: Line | None = None
        self.last_step: Line | None = None

    def follow(self) -> None:
        """Take whole lines that were added."""
        if not self._file.exists():
            return
        with self._file.open("rb") as stream:
            stream.seek(self._read_bytes)
            added = stream.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for text in whole.decode().splitlines():
            self.newest = Line(**json.loads(text))
            self.recent.append(self.newest)
            if self.newest.did == "step":
                self.last_step = self.newest
