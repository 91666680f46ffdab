"""A run whose workers live through rounds, as the API, the node's kernel and the workers' own log lines show them."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from e2e.container_processes import ProcessSeen, that_run
from e2e.pods_seen import PodSeen
from e2e.running_example import FIRST_STEP, RunningExample

NEXT_STEP_SECONDS = 15.0
"""Survivors have made their next step by then; on a machine that does nothing else it takes a small part of it."""
AGAIN_SECONDS = 240.0


@dataclass(frozen=True)
class Kept:
    """What the survival of a pod's workers leaves as it was.

    Args:
        pod: itself, with its container's id, start and number of restarts.
        workers: its workers' processes, as the node shows them; none on a cluster elsewhere.
        pids: which its workers have ever said of themselves.
    """

    pod: PodSeen
    workers: frozenset[ProcessSeen]
    pids: frozenset[int]


@dataclass(frozen=True)
class Survival:
    """What a loss led to.

    Args:
        next_step: seconds until the last survivor has made its next step, in a round without what was lost.
        again: seconds until everybody trains again, with what replaces it.
    """

    next_step: float
    again: float


class SurvivingRun:
    """A run whose workers live through rounds.

    Args:
        run: the example.
        script: which its workers run.
        nodes, workers: how many it has, and how many workers each has.
        sees_processes: its pods run on this machine.
    """

    def __init__(self, run: RunningExample, script: str, *, nodes: int, workers: int, sees_processes: bool) -> None:
        self.run = run
        self.script = script
        self.nodes = nodes
        self.workers = workers
        self._sees_processes = sees_processes

    def wait_until_all_train(self) -> None:
        """Wait for a full round, in which each worker has made a step."""
        self.run.wait_for_round(self.nodes, AGAIN_SECONDS)
        self._wait_for_steps(self._ranked_pods(), self.nodes, {}, AGAIN_SECONDS)

    def pod_of_rank(self, rank: int) -> str:
        """The name of the pod with this rank: who came first has rank 0, whichever its completion index."""
        return self.run.ranked[rank].pod_name

    def delete(self, pod: str, *, force: bool) -> float:
        """Delete a pod; return when, by `time.time`."""
        path = f"/api/v1/namespaces/{self.run.namespace}/pods/{pod}"
        began = time.time()
        self.run.connection.request("DELETE", path, query={"gracePeriodSeconds": "0"} if force else {})
        return began

    def processes(self, pod: str) -> frozenset[ProcessSeen]:
        """A pod's workers, as the node shows them."""
        return that_run(self.script, self.run.pods[pod].container_id) if self._sees_processes else frozenset()

    def lose(
        self,
        victim: str,
        act: Callable[[], float],
        *,
        then: Callable[[], None] = lambda: None,
        limit: float = NEXT_STEP_SECONDS,
    ) -> Survival:
        """Lose what one pod does: the workers of all others live through it, and take in what replaces it.

        Args:
            victim: the pod.
            act: does it and returns when, by `time.time`.
            then: called when the survivors train without it.
            limit: seconds until they do.

        Raises:
            AssertionError: anything of the survivors is not as before, or they do not train.
        """
        full = self.run.wait_for_round(self.nodes, AGAIN_SECONDS)
        survivors = [name for name in self._ranked_pods() if name != victim]
        assert len(survivors) == self.nodes - 1
        before = self._kept(survivors)
        fewer, all_ = self._steps_begun(survivors, self.nodes - 1), self._steps_begun([*survivors, victim], self.nodes)
        began = act()
        next_step_at = self._wait_for_steps(survivors, self.nodes - 1, fewer, limit)
        assert self._kept(survivors) == before
        then()
        grown = self.run.wait_for_round(self.nodes, AGAIN_SECONDS, after=full.status.round)
        assert grown.status.history[0].reason == "Growth", grown.status.history[0]
        again_at = self._wait_for_steps(self._ranked_pods(), self.nodes, all_, AGAIN_SECONDS)
        assert self._kept(survivors) == before
        for name in survivors:
            steps = [
                int(found[1]) for line in self.run.log(name).lines if (found := re.search(r"step (\d+)", line.text))
            ]
            assert steps == sorted(steps), f"{name} has fallen back: {steps}"
        return Survival(next_step_at - began, again_at - began)

    def _ranked_pods(self) -> list[str]:
        return [member.pod_name for member in self.run.ranked]

    def _kept(self, names: Iterable[str]) -> dict[str, Kept]:
        pods = self.run.pods
        kept = {}
        for name in names:
            said = (re.search(r"pid (\d+)", line.text) for line in self.run.log(name).matching(FIRST_STEP))
            kept[name] = Kept(pods[name], self.processes(name), frozenset(int(pid[1]) for pid in said if pid))
            assert len(kept[name].pids) >= self.workers, f"{name}: {kept[name]}"
            assert {one.inside for one in kept[name].workers} <= kept[name].pids, f"{name}: {kept[name]}"
        return kept

    def _first_steps(self, nodes: int) -> str:
        return rf"of {nodes * self.workers}: {FIRST_STEP}"

    def _steps_begun(self, names: Iterable[str], nodes: int) -> dict[str, int]:
        return {name: len(self.run.log(name).matching(self._first_steps(nodes))) for name in names}

    def _wait_for_steps(self, names: Iterable[str], nodes: int, before: Mapping[str, int], seconds: float) -> float:
        """Wait until each worker of these pods has made the first step of another round of so many; return when."""
        deadline = time.monotonic() + seconds
        return max(
            self.run.log(name)
            .wait_for(
                self._first_steps(nodes),
                max(0.0, deadline - time.monotonic()),
                more_than=before.get(name, 0) + self.workers - 1,
            )
            .at
            for name in names
        )
