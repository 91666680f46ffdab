"""One example that runs: its pods, their logs, its Rendezvous."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from e2e.followed_log import FollowedLog
from e2e.kubectl import Kubectl
from e2e.pods_seen import PodSeen, pods
from integration.recorder import Recorder
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import Member, Rendezvous

LABEL = "rendezvous.dev/name"
FIRST_STEP = r"first step of this round done"
NOTICE = r"SIGTERM"


@dataclass(frozen=True)
class State:
    """What must not change while nobody is disturbed."""

    round: int
    pods: dict[str, tuple[str, int]]
    beginnings: dict[str, int]


class RunningExample:
    """An example in a namespace, for use in a ``with`` statement, which judges the invariants at its end.

    Args:
        kubectl, connection: of an administrator.
        namespace, name: of its Rendezvous.
    """

    under_way: ClassVar[list["RunningExample"]] = []
    last_words: ClassVar[list[tuple[str, str]]] = []
    """Of those that an error has ended, for the report of the test: namespace and name, `explanation`."""

    def __init__(self, kubectl: Kubectl, connection: Connection, namespace: str, name: str) -> None:
        self.kubectl = kubectl
        self.connection = connection
        self.namespace = namespace
        self.name = name
        self._recorder = Recorder(connection, namespace)
        self._logs: dict[str, FollowedLog] = {}

    def __enter__(self) -> Self:
        self._recorder.__enter__()
        self.under_way.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.under_way.remove(self)
        if error is not None:
            self.last_words.append((f"{self.namespace}/{self.name}", self.explanation()))
        for log in self._logs.values():
            log.stop()
        self._recorder.__exit__(kind, error, trace)

    @property
    def pods(self) -> dict[str, PodSeen]:
        """Its pods by name."""
        return pods(self.kubectl, self.namespace, f"{LABEL}={self.name}")

    @property
    def rendezvous(self) -> Rendezvous:
        """The newest version."""
        return self._recorder.newest(self.name)

    @property
    def ranked(self) -> list[Member]:
        """The Members of the newest round, by rank; only those that exist."""
        members = self._recorder.members()
        return [members[name] for name in self.rendezvous.status.ranks if name in members]

    def wait(self, what: str, holds: Callable[[Rendezvous], bool], seconds: float) -> Rendezvous:
        """Wait for a version of its Rendezvous."""
        return self._recorder.wait_for(self.name, what, holds, seconds)

    def wait_for_round(self, nodes: int, seconds: float, *, after: int = 0) -> Rendezvous:
        """Wait until a round later than `after` with that many nodes stands, and nobody is about to disturb it."""

        def stands(it: Rendezvous) -> bool:
            status = it.status
            return status.round > after and status.world_size == nodes and status.forming is None

        return self.wait(f"standing round of {nodes} after round {after}", stands, seconds)

    def wait_until_told(self, round_: int, seconds: float) -> Rendezvous:
        """Wait until the members of that round are told to join again."""

        def told(it: Rendezvous) -> bool:
            status = it.status
            return status.round > round_ or (status.forming is not None and status.forming.interrupts)

        return self.wait(f"end of round {round_}", told, seconds)

    def waited_for(self) -> list[str]:
        """Whom rounds that were being formed waited for, each answer once."""
        forming = [version.status.forming for version in self._recorder.versions(self.name)]
        said = (f"round {one.round}: {', '.join(one.waiting_for)}" for one in forming if one is not None)
        return list(dict.fromkeys(said))

    def log(self, pod: str, container: str | None = None) -> FollowedLog:
        """The log of a pod, followed from the first call on."""
        if pod not in self._logs:
            self._logs[pod] = FollowedLog(self.kubectl, self.namespace, pod, container)
        return self._logs[pod]

    def follow_anew(self, pod: str) -> FollowedLog:
        """The log of a pod whose container was started again, or that was made anew under its old name."""
        old = self._logs.pop(pod, None)
        if old is not None:
            old.stop()
        return self.log(pod)

    def wait_for_first_steps(self, nodes: int, seconds: float) -> float:
        """Wait until every pod has made the first step of a round of that many; return when, by `time.time`."""
        deadline = time.monotonic() + seconds
        lines = [
            self.log(pod).wait_for(rf"of {nodes}: {FIRST_STEP}", max(0.0, deadline - time.monotonic()))
            for pod in sorted(self.pods)
        ]
        assert len(lines) == nodes, f"{len(lines)} pods are there: {sorted(self.pods)}"
        return max(line.at for line in lines)

    def wait_for_first_round(self, nodes: int, seconds: float) -> None:
        """Wait until that many train in the first round; none may have been needed after it."""
        self.wait_for_round(nodes, seconds)
        self.wait_for_first_steps(nodes, seconds)
        assert self.rendezvous.status.round == 1, self.explanation()

    def state(self) -> State:
        """How often anything began."""
        seen = self.pods
        return State(
            round=self.rendezvous.status.round,
            pods={name: (one.uid, one.restarts) for name, one in seen.items()},
            beginnings={name: len(self.log(name).matching(FIRST_STEP)) for name in seen},
        )

    def latest_step(self, pod: str) -> int:
        """The newest step that the pod's log names."""
        lines = self.log(pod).matching(r"step \d+")
        return int(lines[-1].text.rpartition("step ")[2].partition(",")[0]) if lines else 0

    def wait_for_later_steps(self, than: dict[str, int], seconds: float) -> None:
        """Wait until each pod has logged a later step: it trains."""
        deadline = time.monotonic() + seconds
        for pod, step in than.items():
            while self.latest_step(pod) <= step:
                left = deadline - time.monotonic()
                assert left > 0, f"{pod} stands still at step {step}"
                time.sleep(min(0.2, left))

    def explanation(self) -> str:
        """What one wants to see when something went wrong."""
        parts = [
            self.kubectl.try_("-n", self.namespace, *arguments.split()).stdout
            for arguments in (
                "get pods -o wide",
                f"get rdzv {self.name} -o yaml",
                "get rdzvm -o wide",
                "get events --sort-by=.metadata.creationTimestamp",
                # Also of those that no test has followed: one that did not end says there what it waits for.
                f"logs --selector {LABEL}={self.name} --all-containers --prefix --timestamps --tail 60",
            )
        ]
        # And of those that are gone.
        parts += [f"--- {pod}\n" + "\n".join(x.text for x in log.lines[-15:]) for pod, log in self._logs.items()]
        return "\n".join(part[-20_000:] for part in parts)
