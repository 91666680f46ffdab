"""The timeline with torchrun: four nodes meet, one is killed and replaced, then rank 0 is, and all finish."""

import os
from dataclasses import dataclass
from pathlib import Path

from kube_rendezvous.resources import PastRound
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
from rendezvous_demo.kubectl import Kubectl
from rendezvous_demo.measurements import (
    SILENT_INTERVALS,
    GrowthMeasured,
    LossMeasured,
    measure_loss,
    store_endpoint,
    workers_at,
    wrong_masters,
)
from rendezvous_demo.recoveries import Recovery, measure_recovery
from rendezvous_demo.stage import Stage

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MANIFEST = EXAMPLES / "rendezvous.yaml"
SCRIPT = EXAMPLES / "train_digits.py"
NAME = "my-run"  # in the manifest
NODES = "2:4"  # in the manifest
EPOCHS = 26  # about 35 s beside the restarts


@dataclass(frozen=True)
class Outcome:
    """What happened, measured and judged.

    Attributes:
        losses, growths: What was done to the nodes, and what came of it.
        recovery: What the loss of rank 0 cost the training.
        history: The rounds, newest first.
        checks: What had to hold.
    """

    losses: tuple[LossMeasured, ...]
    growths: tuple[GrowthMeasured, ...]
    recovery: Recovery
    history: tuple[PastRound, ...]
    checks: tuple[Check, ...]


class Scenario:
    """The timeline on one stage.

    Args:
        stage: With no nodes yet.
        kubectl: Of the cluster.
        display: Shows what happens.
    """

    def __init__(self, stage: Stage, kubectl: Kubectl, display: Display) -> None:
        self._stage = stage
        self._kubectl = kubectl
        self._display = display

    def run(self) -> Outcome:
        """Play it through.

        Raises:
            DemoError: It took another course than it should.
        """
        tell, stage, settings = self._display.headline, self._stage, self._stage.settings
        tell("A Rendezvous, applied as on any cluster")
        self._kubectl("apply", "-n", settings.namespace, "-f", os.path.relpath(MANIFEST))
        stage.wait("the Rendezvous is observed by the operator", stage.is_observed)

        tell("Four nodes, each one stock torchrun", 30)
        self._display.say(f"$ {settings.launcher.shown(0, settings)}")
        for slot in range(4):
            stage.start(f"node-{slot}", slot)
        stage.train(round_number=1, size=4)

        limit = SILENT_INTERVALS * stage.heartbeat_seconds()
        tell(f"SIGKILL to the node with rank 1: nobody says so, {limit} s without a heartbeat must tell", 20)
        first = stage.lose(rank=1)
        stage.train(round_number=2, size=3)
        tell("A replacement comes: the world grows again", 30)
        growths = [stage.replace(first, round_number=3)]

        tell("SIGKILL to the node with rank 0, which serves the bootstrap store, and its Member is deleted", 20)
        second = stage.lose(rank=0, delete=True)
        stage.train(round_number=4, size=3)
        tell("A replacement comes; then nothing more happens, and they finish", 45)
        growths.append(stage.replace(second, round_number=5))
        stage.finish()
        seen = stage.observation.seen()
        return self._judge([measure_loss(first, seen), measure_loss(second, seen)], growths)

    def _judge(self, losses: list[LossMeasured], growths: list[GrowthMeasured]) -> Outcome:
        stage, newest = self._stage, self._stage.newest()
        checks = [check for loss in losses for check in check_loss(loss, stage.heartbeat_seconds())]
        checks += [check_growth(growth.member, growth) for growth in growths]
        checks += [
            self._check_masters(losses[-1].loss.round + 1),
            check_accuracy(stage.accuracy()),
            check_exits("torchrun", stage.exit_statuses()),
            check_closed(newest.status.closed),
        ]
        recovery = measure_recovery("restarting", losses[-1], stage.observation.seen(), stage.training.steps)
        return Outcome(tuple(losses), tuple(growths), recovery, newest.status.history, tuple(checks))

    def _check_masters(self, round_number: int) -> Check:
        seen, steps = self._stage.observation.seen(), self._stage.training.steps
        after = seen.rounds[round_number].rendezvous
        return check_masters(after, workers_at(steps, store_endpoint(after)), wrong_masters(steps, seen))
