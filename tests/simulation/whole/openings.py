"""A schedule in which runs end by members that close them, and new ones begin, again and again, while watches lag."""

from collections.abc import Callable
from dataclasses import replace

from kube_rendezvous.resources import Reopen
from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import WHOLE, Scenario, Shortened
from simulation.whole.troubles import Troubles


class _ClosingsAndComings(Troubles):
    @property
    def _kinds(self) -> list[tuple[Callable[[], None], int]]:
        return [
            (self._close_and_leave, 6), (self._join, 10), (self._cut_members, 8), (self._cut, 2), (self._die, 3),
            (self._crash, 2), (self._delete_member, 2), (self._outage, 1), (self._fail, 1),
        ]  # fmt: skip

    def _cut_members(self) -> None:
        self._rng.choice(self._scenario.operators).cut_a_watch(0, self._rng.choice([3.0, 10.0, 20.0]))

    def _close_and_leave(self) -> None:
        if (one := self._client()) is not None:
            one.leave(close=True)


class Openings(Scenario):
    """As `Scenario`, with two operators: what one has written, the other may see before it sees why."""

    second_operator = 1.0

    def __init__(
        self,
        seed: int,
        faults: frozenset[Fault] = frozenset(),
        trace: Callable[[str], None] | None = None,
        shortened: Shortened = WHOLE,
    ) -> None:
        super().__init__(seed, faults, trace, shortened)
        self.spec = replace(self.spec, reopen=Reopen.WHEN_EMPTY)
        self._troubles = _ClosingsAndComings(self, shortened.without)
