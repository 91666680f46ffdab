"""A job of torchrun nodes that meet in one Rendezvous, as a test drives it and looks at it."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from integration.recorder import Recorder
from integration.torchrun.node import Node, WorkerStart
from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.resources import (
    API_VERSION,
    MEMBER_PLURAL,
    RENDEZVOUS_KIND,
    RENDEZVOUS_PLURAL,
    Member,
    PastRound,
    Rendezvous,
)
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous.resources.timestamps import parse_time

NAME = "job"
WORKERS = Path(__file__).parent / "workers"
WAITING = WORKERS / "waiting_worker.py"
SUMMING = WORKERS / "summing_worker.py"

HEARTBEAT_SECONDS = 1
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS  # after which a member is lost
ROUND_SECONDS = 60.0  # limit for everything that a healthy machine does in a few seconds
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Round:
    """A round in which every member's worker runs.

    Attributes:
        number: Of the round.
        nodes: Names; index = rank.
        master: Address and port of the bootstrap store in the status.
        starts: How the workers were started for it, by node.
        past: Its line in the history.
    """

    number: int
    nodes: tuple[str, ...]
    master: str
    starts: Mapping[str, WorkerStart]
    past: PastRound

    def rank(self, node: str) -> int:
        """The rank of a node."""
        return self.nodes.index(node)


class Job:
    """One Rendezvous and the nodes that go to it.

    Args:
        kubeconfig: How the nodes reach the API server.
        connection: How the test does.
        namespace: Of the Rendezvous.
        recorder: Watches that namespace.
        folder: For logs and for what the workers write.
        worker: The script that the nodes run.
        spec: Of the Rendezvous; created here.
    """

    def __init__(
        self,
        kubeconfig: Path,
        connection: Connection,
        namespace: str,
        recorder: Recorder,
        folder: Path,
        worker: Path,
        spec: Mapping[str, Any],
    ) -> None:
        self.recorder = recorder
        self.nodes: dict[str, Node] = {}
        self._connection = connection
        self._namespace = namespace
        self._folder = folder
        self._worker = worker
        self._environment = {"KUBECONFIG": str(kubeconfig)}
        spec = {"heartbeatSeconds": HEARTBEAT_SECONDS, **spec}
        self._arguments = [
            f"--nnodes={spec['minNodes']}:{spec['maxNodes']}",
            "--nproc-per-node=1",
            "--rdzv-backend=kubernetes",
            f"--rdzv-id={NAME}",
            f"--rdzv-endpoint={namespace}",
            "--rdzv-conf=join_timeout=120",
            "--monitor-interval=0.1",
            "--max-restarts=3",
        ]
        manifest = {"apiVersion": API_VERSION, "kind": RENDEZVOUS_KIND, "metadata": {"name": NAME}, "spec": spec}
        connection.request("POST", collection_path(RENDEZVOUS_PLURAL, namespace), body=manifest)
        recorder.wait_for(NAME, "such object", lambda it: True, ROUND_SECONDS)

    def start(self, *names: str) -> None:
        """Starts nodes, all at once."""
        for name in names:
            node = self.nodes[name] = Node(name, self._arguments, self._worker, self._folder, self._environment)
            node.start()

    def finish(self) -> None:
        """Lets every worker end well."""
        (self._folder / "finish").touch()

    def stop(self) -> None:
        """Ends whatever still runs."""
        for node in self.nodes.values():
            node.kill()

    @property
    def rendezvous(self) -> Rendezvous:
        """Its newest version."""
        return self.recorder.newest(NAME)

    @property
    def versions(self) -> list[Rendezvous]:
        """Every version that was seen, oldest first."""
        return self.recorder.versions(NAME)

    def wait_until(self, what: str, holds: Callable[[Rendezvous], bool], seconds: float = ROUND_SECONDS) -> Rendezvous:
        """Waits for a version of the Rendezvous that is so, from the newest on."""
        return self.recorder.wait_for(NAME, what, holds, seconds)

    def wait_for_round(self, number: int, nodes: Iterable[str]) -> Round:
        """Waits until this round stands, with these nodes and no others, and until each has a worker in it.

        Raises:
            AssertionError: It did not come to that, or a worker was told another place than the status says.
        """
        wanted = set(nodes)
        now = self.wait_until(
            f"round {number} of {sorted(wanted)}",
            lambda it: (
                it.status.round == number and it.status.forming is None and set(_nodes(it.status.ranks)) == wanted
            ),
        )
        status, store = now.status, now.status.bootstrap_store
        assert store is not None
        master, ranks = f"{store.address}:{store.port}", _nodes(status.ranks)
        eventually(
            f"a worker of each of {sorted(wanted)} at {master}",
            lambda: all((start := self.nodes[name].newest_start) and start.master == master for name in wanted),
        )
        starts = {name: start for name in ranks if (start := self.nodes[name].newest_start)}
        assert {name: (start.rank, start.world_size) for name, start in starts.items()} == {
            name: (rank, len(ranks)) for rank, name in enumerate(ranks)
        }
        return Round(number, ranks, master, starts, status.history[0])

    def assert_undisturbed(self, round: Round) -> None:
        """The round stands, nobody was told to leave it, and the same workers run.

        Raises:
            AssertionError: Something of that is not so.
        """
        for version in self.versions:
            status = version.status
            if status.round == round.number:
                assert status.forming is None or not status.forming.interrupts, f"round {round.number} was interrupted"
        assert self.rendezvous.status.round == round.number
        for name, start in round.starts.items():
            assert self.nodes[name].running, f"{name} runs no more"
            assert self.nodes[name].newest_start == start, f"{name} was restarted"

    def stays_undisturbed(self, round: Round, seconds: float) -> None:
        """Looks at a round for so long. Arguments, errors as `assert_undisturbed`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.assert_undisturbed(round)
            time.sleep(POLL_SECONDS)

    def wait_for_heartbeats(self, seconds: float = 0.0) -> None:
        """Waits until every member of the round has sent a heartbeat ``seconds`` after now, or later.

        With the silence limit and more, whoever watches since now has had time to take every silent member for lost.
        """
        after = datetime.now(UTC) + timedelta(seconds=seconds)

        def all_heard(members: Mapping[str, Member]) -> bool:
            ranked = self.rendezvous.status.ranks
            return all(name in members and parse_time(members[name].renew_time) > after for name in ranked)

        self.recorder.wait_for_members(f"heartbeat of each after {after}", all_heard, ROUND_SECONDS + seconds)

    def wait_for_arrivals(self, *nodes: str) -> None:
        """Waits until these nodes, and no others that live, wait for a round newer than the present one."""
        status = self.rendezvous.status

        def all_wait(members: Mapping[str, Member]) -> bool:
            waiting = [m for m in members.values() if m.name not in status.ranks or m.after_round >= status.round]
            return sorted(_nodes(member.name for member in waiting)) == sorted(nodes)

        self.recorder.wait_for_members(f"arrival of {nodes}", all_wait, ROUND_SECONDS)

    def delete_member(self, node: str) -> None:
        """Deletes the Member of a ranked node, as `kubectl delete` would."""
        ranks = self.rendezvous.status.ranks
        name = ranks[_nodes(ranks).index(node)]
        self._connection.request("DELETE", object_path(MEMBER_PLURAL, self._namespace, name))

    def exit_statuses(self, *names: str) -> dict[str, int]:
        """Waits for the end of these nodes."""
        return {name: self.nodes[name].exit_status(ROUND_SECONDS) for name in names}

    def describe(self) -> str:
        """For a person who must find out what went wrong."""
        parts = [f"=== {node.name}: {node.starts}\n{node.process.log_tail(40)}" for node in self.nodes.values()]
        for plural in (RENDEZVOUS_PLURAL, MEMBER_PLURAL):
            try:
                listed = self._connection.request("GET", collection_path(plural, self._namespace))
                for item in listed["items"]:
                    item["metadata"].pop("managedFields", None)
                parts.append(yaml.safe_dump_all(listed["items"], sort_keys=False))
            except ApiFailureError as failure:
                parts.append(str(failure))
        parts.extend(f"broken invariant: {line}" for line in self.recorder.violations())
        return "\n".join(parts)


def eventually(what: str, holds: Callable[[], bool], seconds: float = ROUND_SECONDS) -> None:
    """Waits for something that nobody tells.

    Raises:
        AssertionError: It did not come true within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"no {what} within {seconds:.0f} s"
        time.sleep(POLL_SECONDS)


def _nodes(members: Iterable[str]) -> tuple[str, ...]:
    """The nodes of Members: their names without the random end."""
    return tuple(name.rpartition("-")[0] for name in members)
