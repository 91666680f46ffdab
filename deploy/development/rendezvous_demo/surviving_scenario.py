"""The timeline with survivors that keep their processes: four nodes meet, rank 0 is killed and replaced, all finish."""

from dataclasses import dataclass
from pathlib import Path

from rendezvous_demo.checks import Check, check_accuracy, check_closed, check_exits, check_pids, check_undone
from rendezvous_demo.display import Display
from rendezvous_demo.measurements import measure_loss
from rendezvous_demo.recoveries import Recovery, measure_recovery
from rendezvous_demo.stage import Stage

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "train_digits_surviving.py"
NAME = "my-surviving-run"
EPOCHS = 24  # they train on while the replacement starts, and then it trains some epochs with them


@dataclass(frozen=True)
class SurvivingOutcome:
    """What happened, measured and judged.

    Attributes:
        recovery: What the loss of rank 0 cost the training.
        checks: What had to hold.
    """

    recovery: Recovery
    checks: tuple[Check, ...]


class SurvivingScenario:
    """The timeline on one stage.

    Args:
        stage: With no nodes yet.
        display: Shows what happens.
    """

    def __init__(self, stage: Stage, display: Display) -> None:
        self._stage = stage
        self._display = display

    def run(self) -> SurvivingOutcome:
        """Play it through.

        Raises:
            DemoError: It took another course than it should.
        """
        tell, stage, settings = self._display.headline, self._stage, self._stage.settings
        tell("The same again, with survivors that keep their processes; the first node makes the Rendezvous", 20)
        self._display.say(f"$ {settings.launcher.shown(0, settings)}")
        for slot in range(4):
            stage.start(f"survivor-{slot}", slot)
        stage.wait("the Rendezvous is observed by the operator", stage.is_observed)
        stage.train(round_number=1, size=4)

        tell("The same kill: the node with rank 0, and its Member is deleted", 5)
        loss = stage.lose(rank=0, delete=True)
        stage.train(round_number=2, size=3)
        tell("A replacement comes, gets its state from a survivor, and they finish", 30)
        stage.replace(loss, round_number=3)
        stage.finish()

        seen = stage.observation.seen()
        recovery = measure_recovery("surviving", measure_loss(loss, seen), seen, stage.training.steps)
        checks = (
            check_pids(recovery),
            check_undone(recovery),
            check_accuracy(stage.accuracy()),
            check_exits("kube-rendezvous run", stage.exit_statuses()),
            check_closed(stage.newest().status.closed),
        )
        return SurvivingOutcome(recovery, checks)
