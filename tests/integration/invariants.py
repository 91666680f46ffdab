"""What must hold in every version of every Rendezvous, whatever happens to it.

`Invariants` judges one version after another, without I/O; `integration.recorder` feeds it from a watch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_rendezvous.resources import BootstrapStore, Member, Rendezvous, parse_rendezvous
from kube_rendezvous.resources.rendezvous_slice import missing_ranks

# For these reasons a round may come without a version before it that told the members of the old round: those who are
# in both had come back by themselves (which is judged apart), and the others are gone.
COMES_UNTOLD = frozenset(
    {"Reopened", "MemberRestarted", "MemberLeft", "MemberSuperseded", "MemberDeleted", "HeartbeatLost"}
)


@dataclass(frozen=True)
class _Round:
    """What a round number names, and the version of the Rendezvous that named it first (0: it was not seen)."""

    ranks: tuple[str, ...]
    store: BootstrapStore | None
    published: int


@dataclass
class _Life:
    """What was seen of one Rendezvous object, which its UID tells from others of the same name."""

    newest: Rendezvous
    rounds: dict[int, _Round] = field(default_factory=dict)


class Invariants:
    """Judges versions of Rendezvous and Member objects, each in the order in which they came to be."""

    def __init__(self) -> None:
        self._violations: list[str] = []
        self._lives: dict[str, _Life] = {}
        self._came_back: dict[str, dict[int, int]] = {}  # Member: afterRound: the version that said so first
        self._members_missed_until = 0

    def violations(self) -> list[str]:
        """A sentence for each broken invariant. Every Member's versions up to now should have been seen."""
        return self._violations + [what for life in self._lives.values() for what in self._untimely(life)]

    def forget_older_rounds(self) -> None:
        """Drop what only judges rounds that have been judged: all but the newest of each, for runs that are long."""
        oldest = min((life.newest.status.round for life in self._lives.values()), default=0)
        for life in self._lives.values():
            self._violations += self._untimely(life)
            life.rounds = {number: it for number, it in life.rounds.items() if number >= life.newest.status.round}
        for name, versions in list(self._came_back.items()):
            self._came_back[name] = {after: version for after, version in versions.items() if after >= oldest}
            if not self._came_back[name]:
                del self._came_back[name]

    def see(
        self,
        obj: Mapping[str, Any],
        *,
        missed: bool = False,
        names: Callable[[Rendezvous], Rendezvous] = lambda rendezvous: rendezvous,
    ) -> Rendezvous:
        """Takes the next version of a Rendezvous and returns it parsed.

        Args:
            obj: As the API server has it.
            missed: There may have been versions between the last one and this.
            names: Adds to a large round what its slices say.
        """
        now = names(parse_rendezvous(obj))
        self._judge_version(now, (obj.get("status") or {}).get("worldSize", 0))
        life = self._lives.setdefault(now.uid, _Life(now))
        if life.newest is not now:
            self._judge_step(life.newest, now, missed)
        self._judge_name(now, life, missed or life.newest is now)
        life.newest = now
        return now

    def see_member(self, member: Member) -> None:
        """Takes the next version of a Member."""
        versions = self._came_back.setdefault(member.name, {})
        versions.setdefault(member.after_round, int(member.resource_version))

    def missed_members(self, until: int) -> None:
        """Versions of Members up to this one may not have been seen: older rounds are not judged by them."""
        self._came_back.clear()
        # An empty list has no versions, but what was published before it is older all the same.
        published = [int(life.newest.resource_version) for life in self._lives.values()]
        self._members_missed_until = max(until, *published, self._members_missed_until)

    def _judge_version(self, now: Rendezvous, world_size: int) -> None:
        status = now.status
        if len(set(status.ranks)) != len(status.ranks):
            self._complain(now, f"round {status.round} ranks a member twice: {status.ranks}")
        if world_size != len(status.ranks):
            self._complain(now, f"worldSize is {world_size}, and there are {len(status.ranks)} ranks")
        known = status.ranks and 0 not in missing_ranks(status)
        if known and (status.bootstrap_store is None or status.bootstrap_store.member != status.ranks[0]):
            self._complain(now, f"the bootstrap store of round {status.round} is not that of its rank 0")
        if status.forming is not None and status.forming.interrupts and not status.forming.message:
            self._complain(now, f"the members of round {status.round} are told to stop and not why")

    def _judge_step(self, before: Rendezvous, now: Rendezvous, missed: bool) -> None:
        old, new = before.status, now.status
        if new.round < old.round:
            self._complain(now, f"round {new.round} came after round {old.round}")
        if new.round <= old.round:
            return
        spec, size = now.spec, new.world_size
        if not spec.min_nodes <= size <= spec.max_nodes or size % spec.node_unit:
            self._complain(now, f"round {new.round} has {size} nodes, which its spec does not allow: {spec}")
        if not new.history or new.history[0].round != new.round or not new.history[0].message:
            self._complain(now, f"the history does not say why there is a round {new.round}")
            return
        told = old.forming is not None and old.forming.interrupts
        if old.round > 0 and not told and not missed and new.history[0].reason not in COMES_UNTOLD:
            self._complain(now, f"round {new.round} ({new.history[0].reason}) came and nobody had been told before")

    def _judge_name(self, now: Rendezvous, life: _Life, missed: bool) -> None:
        status = now.status
        if status.round == 0 or missing_ranks(status):
            return
        named = _Round(status.ranks, status.bootstrap_store, 0 if missed else int(now.resource_version))
        first = life.rounds.setdefault(status.round, named)
        if (first.ranks, first.store) != (named.ranks, named.store):
            self._complain(now, f"round {status.round} named {first} and names {named} now")

    def _untimely(self, life: _Life) -> list[str]:
        """Members of two rounds that had not yet come back from the first when the second was published."""
        return [
            self._sentence(life.newest, f"round {number} has {name}, which had not come back from round {number - 1}")
            for number, new in life.rounds.items()
            if number - 1 in life.rounds and new.published > self._members_missed_until
            for name in sorted(set(new.ranks) & set(life.rounds[number - 1].ranks))
            if not any(
                after_round >= number - 1 and version < new.published
                for after_round, version in self._came_back.get(name, {}).items()
            )
        ]

    def _complain(self, rendezvous: Rendezvous, what: str) -> None:
        self._violations.append(self._sentence(rendezvous, what))

    @staticmethod
    def _sentence(rendezvous: Rendezvous, what: str) -> str:
        return f"Rendezvous {rendezvous.namespace}/{rendezvous.name}, version {rendezvous.resource_version}: {what}"
