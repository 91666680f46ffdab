"""Nodes that go on by themselves: as torchrun's agents do, they join whenever they are told to."""

from collections.abc import Sequence

from integration.handlers.nodes import Node
from kube_rendezvous.api import RendezvousClosedError

ASK_EVERY_SECONDS = 0.02


class Agent:
    """Drives one node until the rendezvous is closed or the test is over.

    Attributes:
        rounds: the numbers of the rounds it had a place in, in order.
        error: what ended it, if it was not the closing.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.rounds: list[int] = []
        self.error: BaseException | None = None
        node.begin(self._drive)

    @property
    def runs_in(self) -> int:
        """The round in which it runs undisturbed; 0: none."""
        return self.rounds[-1] if self.rounds and not self.node.told else 0

    def _drive(self) -> None:
        try:
            while not self.node.over.is_set():
                self.node.handler.next_rendezvous()
                self.rounds.append(self.node.round)
                while not self.node.told and not self.node.over.wait(ASK_EVERY_SECONDS):
                    pass
        except RendezvousClosedError:
            pass
        except BaseException as error:
            self.error = error


def all_run_together(agents: Sequence[Agent]) -> bool:
    """Whether all of them run undisturbed in one round."""
    rounds = {agent.runs_in for agent in agents}
    return len(rounds) == 1 and 0 not in rounds
