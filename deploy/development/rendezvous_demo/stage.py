"""What every scenario plays on: nodes of one Rendezvous, what was seen of them, and the patience to wait for more."""

import json
import time
from collections.abc import Callable

from kube_rendezvous.resources import Rendezvous
from rendezvous_demo.display import Display
from rendezvous_demo.errors import DemoError
from rendezvous_demo.kubectl import Kubectl
from rendezvous_demo.measurements import GrowthMeasured, Loss, measure_growth, store_endpoint
from rendezvous_demo.nodes import NodeProcess, NodeSettings, end_all
from rendezvous_demo.observation import Observation
from rendezvous_demo.snapshot import take_snapshot
from rendezvous_demo.training_log import TrainingLog, epochs_done

EPOCHS_BETWEEN_EVENTS = 2
PATIENCE_SECONDS = 120.0
TICK_SECONDS = 0.05


class Stage:
    """One Rendezvous with its nodes. Whoever makes it calls `end()` when it is over, however that was.

    Args:
        observation: Of the Rendezvous, running.
        kubectl: Of the cluster.
        settings: What the nodes have in common.
        display: Shows what happens.
    """

    def __init__(self, observation: Observation, kubectl: Kubectl, settings: NodeSettings, display: Display) -> None:
        self._kubectl = kubectl
        self._display = display
        self._finishing = False
        self.observation = observation
        self.settings = settings
        self.training = TrainingLog(settings.progress)
        self.nodes: list[NodeProcess] = []

    def start(self, name: str, slot: int) -> None:
        """Start a node."""
        self.nodes.append(NodeProcess(name, slot, self.settings))

    def lose(self, *, rank: int, delete: bool = False) -> Loss:
        """SIGKILL to the node with this rank, and to all that it started.

        Args:
            rank: In the newest round.
            delete: Delete its Member too, as the end of its pod does.
        """
        status = self.newest().status
        member = status.ranks[rank]
        seen = self.observation.seen()
        node = next(node for node in self.nodes if (its := seen.member_of(node.name)) and its.name == member)
        killed_at = node.kill()
        # Both clocks are read in one moment: what is trained is noted by the one that people read.
        clock_at = time.time() - (time.monotonic() - killed_at)
        self._display.say(f"{node.name} is gone, with all its processes")
        if delete:
            self._kubectl("delete", "-n", self.settings.namespace, "rdzvm", member, "--wait=false")
        return Loss(node.name, member, status.round, killed_at, clock_at, delete)

    def replace(self, loss: Loss, *, round_number: int) -> GrowthMeasured:
        """Start a node in the place of a lost one, and wait until it trains."""
        lost = next(node for node in self.nodes if node.name == loss.node)
        name = f"{lost.name}b"
        self.start(name, lost.slot)
        self.train(round_number=round_number, size=4)
        seen = self.observation.seen()
        member = seen.member_of(name)
        if member is None:
            raise DemoError(f"round {round_number} has 4 nodes, but {name} has no Member")
        return measure_growth(member.name, seen)

    def train(self, *, round_number: int, size: int) -> None:
        """Wait for the round and for some epochs in it."""

        def has_trained() -> bool:
            newest = self.newest()
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
                and epochs_done(self.training.steps, master) >= EPOCHS_BETWEEN_EVENTS
            )

        self.wait(f"{EPOCHS_BETWEEN_EVENTS} epochs in round {round_number} with {size} nodes", has_trained)

    def finish(self) -> None:
        """Wait until all have ended and the Rendezvous is closed."""
        self._finishing = True
        self.wait("every node ends", lambda: all(node.facts.exit_status is not None for node in self.nodes))
        self.wait("the Rendezvous is closed", lambda: self.newest().status.closed is not None)

    def wait(self, what: str, holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait, and show what happens meanwhile.

        Raises:
            DemoError: It did not come in time, or a node ended.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.training.follow()
            facts = [node.facts for node in self.nodes]
            self._display.show(take_snapshot(facts, self.observation.seen(), self.training.steps))
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

    def newest(self) -> Rendezvous:
        """The Rendezvous as it is now.

        Raises:
            DemoError: It is gone.
        """
        newest = self.observation.seen().newest
        if newest is None:
            where = f"{self.settings.namespace}/{self.settings.rendezvous}"
            raise DemoError(f"Rendezvous {where} is gone: did somebody delete it?")
        return newest

    def is_observed(self) -> bool:
        """Whether the operator has looked at the Rendezvous."""
        return self.heartbeat_seconds() > 0

    def heartbeat_seconds(self) -> int:
        """Of the Rendezvous; 0 until the operator has looked at it."""
        newest = self.observation.seen().newest
        return newest.status.heartbeat_seconds if newest else 0

    def accuracy(self) -> float | None:
        """What the training came to; None: it has not ended."""
        result = self.settings.result
        return float(json.loads(result.read_text())["accuracy"]) if result.exists() else None

    def exit_statuses(self) -> dict[str, int | None]:
        """Of the nodes that were not killed; None while one runs."""
        return {node.name: node.facts.exit_status for node in self.nodes if not node.facts.killed}

    def end(self) -> None:
        """SIGKILL to whatever still runs."""
        for node in self.nodes:
            node.kill()
        end_all(self.settings.folder)
