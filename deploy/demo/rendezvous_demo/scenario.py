"""The timeline: four nodes meet, one is killed, one replaces it, rank 0 is killed, one replaces that, all finish."""

import json
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kube_rendezvous.resources import PastRound, Rendezvous
from rendezvous_demo.checks import (
    Check,
    check_accuracy,
    check_closed,
    check_exits,
    check_growth,
    check_loss,
    check_masters,
)
from rendezvous_demo.display import Display
from rendezvous_demo.errors import DemoError
from rendezvous_demo.kubectl import Kubectl
from rendezvous_demo.measurements import (
    SILENT_INTERVALS,
    GrowthMeasured,
    Loss,
    LossMeasured,
    measure_growth,
    measure_loss,
    store_endpoint,
    workers_at,
    wrong_masters,
)
from rendezvous_demo.nodes import NodeProcess, NodeSettings, torchrun_arguments
from rendezvous_demo.observation import Observation
from rendezvous_demo.snapshot import take_snapshot
from rendezvous_demo.training_log import TrainingLog, epochs_done

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MANIFEST = EXAMPLES / "rendezvous.yaml"
SCRIPT = EXAMPLES / "train_digits.py"
NAME = "my-run"  # in the manifest

EPOCHS = 26
STEP_SECONDS = 0.1  # with 12 steps in an epoch the training takes about 35 s beside the restarts
EPOCHS_BETWEEN_EVENTS = 2
PATIENCE_SECONDS = 120.0
TICK_SECONDS = 0.05


@dataclass(frozen=True)
class Outcome:
    """What happened, measured and judged."""

    losses: tuple[LossMeasured, ...]
    growths: tuple[GrowthMeasured, ...]
    history: tuple[PastRound, ...]
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)


class Scenario:
    """The timeline on one cluster. Whoever makes it calls `end()` when it is over, however that was.

    Args:
        observation: Of the Rendezvous NAME in `namespace`, running.
        kubectl: Of the cluster.
        kubeconfig: Of the cluster, for the nodes.
        namespace: Where the Rendezvous is made; nobody else uses it.
        folder: Shared by the nodes; empty.
        display: Shows what happens.
    """

    def __init__(
        self,
        observation: Observation,
        kubectl: Kubectl,
        kubeconfig: Path,
        namespace: str,
        folder: Path,
        display: Display,
    ) -> None:
        self._observation = observation
        self._kubectl = kubectl
        self._kubeconfig = kubeconfig
        self._namespace = namespace
        self._folder = folder
        self._display = display
        self._training = TrainingLog(folder / "progress.jsonl")
        self._result = folder / "result.json"
        self._finishing = False
        self.nodes: list[NodeProcess] = []

    def run(self) -> Outcome:
        """Play it through.

        Raises:
            DemoError: It took another course than it should.
        """
        tell = self._display.headline
        tell("A Rendezvous, applied as on any cluster")
        self._kubectl("apply", "-n", self._namespace, "-f", os.path.relpath(MANIFEST))
        self._wait("the Rendezvous is observed by the operator", lambda: self._heartbeat_seconds() > 0)
        settings = self._node_settings()

        tell("Four nodes, each one stock torchrun")
        self._display.say(f"$ torchrun {shlex.join(torchrun_arguments(0, settings))}")
        for slot in range(4):
            self._start(f"node-{slot}", slot, settings)
        self._train(round_number=1, size=4)

        limit = SILENT_INTERVALS * self._heartbeat_seconds()
        tell(f"SIGKILL to the node with rank 1: nobody says so, {limit} s without a heartbeat must tell")
        first = self._lose(rank=1)
        self._train(round_number=2, size=3)
        tell("A replacement comes: the world grows again")
        growths = [self._replace(first, settings, round_number=3)]

        tell("SIGKILL to the node with rank 0, which serves the bootstrap store, and its Member is deleted")
        second = self._lose(rank=0, delete=True)
        self._train(round_number=4, size=3)
        tell("A replacement comes; then nothing more happens, and they finish")
        growths.append(self._replace(second, settings, round_number=5))

        self._finishing = True
        self._wait("every node ends", lambda: all(node.facts.exit_status is not None for node in self.nodes))
        self._wait("the Rendezvous is closed", lambda: self._newest().status.closed is not None)
        seen = self._observation.seen()
        return self._judge([measure_loss(first, seen), measure_loss(second, seen)], growths)

    def end(self) -> None:
        """SIGKILL to whatever still runs."""
        for node in self.nodes:
            node.kill()

    def _judge(self, losses: list[LossMeasured], growths: list[GrowthMeasured]) -> Outcome:
        heartbeat, newest = self._heartbeat_seconds(), self._newest()
        statuses = {node.name: node.facts.exit_status for node in self.nodes if not node.facts.killed}
        checks = [check for loss in losses for check in check_loss(loss, heartbeat)]
        checks += [check_growth(growth.member, growth) for growth in growths]
        checks += [
            self._check_masters(losses[-1].loss.round + 1),
            check_accuracy(self._accuracy()),
            check_exits(statuses),
            check_closed(newest.status.closed),
        ]
        return Outcome(tuple(losses), tuple(growths), newest.status.history, tuple(checks))

    def _check_masters(self, round_number: int) -> Check:
        seen, steps = self._observation.seen(), self._training.steps
        after = seen.rounds[round_number].rendezvous
        return check_masters(after, workers_at(steps, store_endpoint(after)), wrong_masters(steps, seen))

    def _node_settings(self) -> NodeSettings:
        spec = self._newest().spec
        script = [
            os.path.relpath(SCRIPT),
            f"--checkpoint={self._folder / 'checkpoint.pt'}",
            f"--epochs={EPOCHS}",
            f"--step-seconds={STEP_SECONDS}",
            f"--progress={self._folder / 'progress.jsonl'}",
            f"--result={self._result}",
        ]
        nodes = f"{spec.min_nodes}:{spec.max_nodes}"
        return NodeSettings(self._kubeconfig, self._namespace, NAME, nodes, script, self._folder)

    def _start(self, name: str, slot: int, settings: NodeSettings) -> None:
        self.nodes.append(NodeProcess(name, slot, settings))

    def _lose(self, *, rank: int, delete: bool = False) -> Loss:
        status = self._newest().status
        member = status.ranks[rank]
        seen = self._observation.seen()
        node = next(node for node in self.nodes if (its := seen.member_of(node.name)) and its.name == member)
        killed_at = node.kill()
        self._display.say(f"{node.name} is gone: torchrun and its worker")
        if delete:
            self._kubectl("delete", "-n", self._namespace, "rdzvm", member, "--wait=false")
        return Loss(node.name, member, status.round, killed_at, delete)

    def _replace(self, loss: Loss, settings: NodeSettings, *, round_number: int) -> GrowthMeasured:
        lost = next(node for node in self.nodes if node.name == loss.node)
        name = f"{lost.name}b"
        self._start(name, lost.slot, settings)
        self._train(round_number=round_number, size=4)
        seen = self._observation.seen()
        member = seen.member_of(name)
        if member is None:
            raise DemoError(f"round {round_number} has 4 nodes, but {name} has no Member")
        return measure_growth(member.name, seen)

    def _train(self, *, round_number: int, size: int) -> None:
        """Waits for the round and for some epochs in it."""

        def has_trained() -> bool:
            newest = self._newest()
            status = newest.status
            if status.round > round_number or (status.round == round_number and status.world_size != size):
                reason = status.history[0].message if status.history else ""
                raise DemoError(
                    f"round {status.round} was formed with {status.world_size} nodes ({reason}); the demo expected"
                    f" round {round_number} with {size}. On a busy machine a node may come too late: try again"
                )
            master = store_endpoint(newest)
            return (
                status.round == round_number
                and master is not None
                and epochs_done(self._training.steps, master) >= EPOCHS_BETWEEN_EVENTS
            )

        self._wait(f"{EPOCHS_BETWEEN_EVENTS} epochs in round {round_number} with {size} nodes", has_trained)

    def _wait(self, what: str, holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self._training.follow()
            facts = [node.facts for node in self.nodes]
            self._display.show(take_snapshot(facts, self._observation.seen(), self._training.steps))
            if holds():
                return
            for node in facts:
                if node.exit_status is not None and not node.killed and (node.exit_status or not self._finishing):
                    raise DemoError(
                        f"{node.name} ended with exit status {node.exit_status} while the demo waited for this: {what}"
                    )
            if time.monotonic() > deadline:
                raise DemoError(f"the demo waited {seconds:.0f} s in vain for this: {what}")
            time.sleep(TICK_SECONDS)

    def _newest(self) -> Rendezvous:
        newest = self._observation.seen().newest
        if newest is None:
            raise DemoError(f"Rendezvous {self._namespace}/{NAME} is gone: did somebody delete it?")
        return newest

    def _heartbeat_seconds(self) -> int:
        newest = self._observation.seen().newest
        return newest.status.heartbeat_seconds if newest else 0

    def _accuracy(self) -> float | None:
        return float(json.loads(self._result.read_text())["accuracy"]) if self._result.exists() else None
