"""A schedule in which the API server's storage is restored from a backup: rounds are forgotten, Members of the dead
rise and those of the living are gone, and versions begin lower, so that watches are silent.

Most of what else holds does not then: who is lost is told of late, and for reasons that are none. What must hold: no
node sees a number twice, and in the end a round stands, in which all know of the same members.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from kube_rendezvous.membership.standing import Place, Standpoint
from kube_rendezvous.resources import Rendezvous, RendezvousStatus
from kube_rendezvous_core.observed.observation import Expulsion
from simulation.whole.api_server import Backup
from simulation.whole.invariants import Invariants, require
from simulation.whole.planted_faults import Fault
from simulation.whole.scenario import WHOLE, Scenario, Shortened
from simulation.whole.troubles import Troubles


@dataclass(slots=True)
class _Forgetful(Invariants):
    """Only what holds whatever is forgotten.

    Args:
        newest: the round that each process went to last.
    """

    newest: dict[tuple[str, str], int] = field(default_factory=dict)

    def status_written(self, before: Rendezvous, after: RendezvousStatus, listed_at: float) -> None:
        self.count("status write")

    def written_without_all_names(self, before: Rendezvous, after: RendezvousStatus) -> None:
        self.count("status write without all names")

    def expelled(self, expulsion: Expulsion, decided_on: Rendezvous, after_round: int) -> None:
        self.count(f"expelled for {expulsion.reason}")

    def told(self, label: str, seen: Rendezvous | None, me: Standpoint) -> None:
        self.count("told")

    def took(self, label: str, name: str, place: Place) -> None:
        """Each process goes to a later round than before."""
        self.count("place")
        before = self.newest.get((label, place.rendezvous_uid), 0)
        require(place.round > before, f"{label} goes to round {place.round} after round {before}")
        self.newest[label, place.rendezvous_uid] = place.round


class _SetBack(Troubles):
    """Once in each stretch, some time after a backup was taken."""

    backup: Backup | None = None

    @property
    def _kinds(self) -> list[tuple[Callable[[], None], int]]:
        kinds = [(kind, weight) for kind, weight in super()._kinds if kind.__name__ not in _UNFORGIVING]
        return [*kinds, (self._back_up, 12), (self._restore, 12)]

    def _back_up(self) -> None:
        if self.backup is None and self._world.rendezvous is not None:
            self._world.say("a backup is taken")
            self.backup = self._world.server.back_up()

    def _restore(self) -> None:
        backup, self.backup = self.backup, None
        if backup is None or self._world.away:
            return
        newest = self._world.rendezvous
        self._world.say("the storage is set back to the backup")
        self._world.restore(backup)
        count, known = self._scenario.invariants.count, self._world.rendezvous
        count("restored")
        if newest is not None and known is not None and known.status.round < newest.status.round:
            count("rounds are forgotten")
        if self._rng.random() < 0.5:
            count("everybody restarts the operators")
            for operator in list(self._scenario.operators):
                self._scenario.replace_operator(operator)


_UNFORGIVING = ("_delete_rendezvous", "_take_slice", "_close")
"""A Rendezvous that was deleted may be there again, a closed one open: what is to follow then is nobody's to say."""


class Restores(Scenario):
    """See the module. Operators that nobody restarts have to find out by themselves."""

    slack_seconds = 150.0

    def __init__(
        self,
        seed: int,
        faults: frozenset[Fault] = frozenset(),
        trace: Callable[[str], None] | None = None,
        shortened: Shortened = WHOLE,
    ) -> None:
        super().__init__(seed, faults, trace, shortened)
        self.invariants = _Forgetful(self.world, self._living_names)
        nothing = SimpleNamespace(
            status_written=lambda *_: None,
            expelled=lambda *_: None,
            replaced=lambda *_: None,
            devices=SimpleNamespace(wrong_in_calm=lambda: ""),
        )
        self.policies = self.protocol = cast(Any, nothing)
        self._troubles = _SetBack(self, shortened.without)

    def _quiet_stretch(self) -> None:
        super()._quiet_stretch()
        if not self.stands() or self.world.rendezvous is None:
            return
        ranks = self.world.rendezvous.status.ranks
        for client in self.living():
            known = client.me.held_with
            others = client.me.name in ranks and known and known != ranks
            require(not others, f"{client.label} runs with {known}, and the round is {ranks}")
