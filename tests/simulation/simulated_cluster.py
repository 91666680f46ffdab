"""An API server in memory: objects with resourceVersions, fenced writes, and the invariants of every status write.

Every version of everything is kept, so that a watcher may be as far behind as a test wishes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kube_rendezvous.resources import (
    Member,
    Rendezvous,
    RendezvousSpec,
    RendezvousStatus,
    parse_rendezvous,
    spec_to_json,
    status_to_json,
)
from kube_rendezvous.resources.timestamps import format_time

START = datetime(2026, 3, 1, tzinfo=UTC)


class RefusedError(Exception):
    """409: what the write was decided on is not what is there."""


@dataclass(slots=True)
class Cluster:
    """The one Rendezvous, its members, and the true time in seconds.

    Args:
        rendezvous_log: all its versions, the newest last.
        member_log: all sets of members, the newest last.
        rounds: what every round number of every Rendezvous UID has ever named.
    """

    spec: RendezvousSpec
    seconds: float = 0.0
    rendezvous_log: list[Rendezvous] = field(default_factory=list)
    member_log: list[Mapping[str, Member]] = field(default_factory=lambda: [{}])
    rounds: dict[tuple[str, int], RendezvousStatus] = field(default_factory=dict)
    version: int = 0

    def __post_init__(self) -> None:
        self.create_rendezvous()

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    @property
    def rendezvous(self) -> Rendezvous:
        return self.rendezvous_log[-1]

    @property
    def members(self) -> Mapping[str, Member]:
        return self.member_log[-1]

    def next_version(self) -> str:
        self.version += 1
        return str(self.version)

    # The Rendezvous

    def create_rendezvous(self) -> None:
        """Create it; if there is one, it is deleted first, and the new one has another UID."""
        version = self.next_version()
        self.rendezvous_log.append(Rendezvous("sim", "run", f"uid-{version}", version, 1, self.spec))

    def edit_spec(self, **fields: Any) -> None:
        self.spec = replace(self.rendezvous.spec, **fields)
        generation = self.rendezvous.generation + 1
        self.rendezvous_log.append(
            replace(self.rendezvous, spec=self.spec, generation=generation, resource_version=self.next_version())
        )

    def write_status(self, decided_on: Rendezvous, status: RendezvousStatus) -> None:
        """The operator's write. Refused if the Rendezvous has changed since; otherwise it must keep the invariants."""
        if decided_on.resource_version != self.rendezvous.resource_version:
            raise RefusedError
        assert status != decided_on.status, "a status was written that changes nothing"
        body = {
            "metadata": {"namespace": "sim", "name": "run", "uid": decided_on.uid, "resourceVersion": "0"},
            "spec": spec_to_json(self.spec),
            "status": status_to_json(status),
        }
        assert parse_rendezvous(body).status == status, "what is written is not what is read"
        self._check_round(decided_on, status)
        self.rendezvous_log.append(replace(decided_on, status=status, resource_version=self.next_version()))

    def _check_round(self, decided_on: Rendezvous, status: RendezvousStatus) -> None:
        before, spec = decided_on.status, decided_on.spec
        if status.round == before.round:
            assert (status.ranks, status.slots, status.bootstrap_store) == (
                before.ranks,
                before.slots,
                before.bootstrap_store,
            ), f"round {status.round} names two assignments"
            return
        assert status.round == before.round + 1, "round numbers must grow, one by one"
        assert (decided_on.uid, status.round) not in self.rounds, f"round {status.round} was published twice"
        size = len(status.ranks)
        assert len(set(status.ranks)) == size == len(status.slots) == status.world_size, "ranks repeat or are missing"
        assert spec.min_nodes <= size <= spec.max_nodes, f"{size} nodes are not in {spec}"
        assert size % spec.node_unit == 0, f"{size} nodes are no multiple of {spec.node_unit}"
        assert status.bootstrap_store is not None
        assert status.bootstrap_store.member == status.ranks[0]
        assert status.forming is None
        assert status.closed is None, "a round was formed while closed"
        assert status.history[0].round == status.round
        assert status.history[0].reason, "a round was formed without a reason"
        self.rounds[decided_on.uid, status.round] = status

    # Members

    def create_member(self, name: str, **fields: Any) -> Member:
        member = Member(
            namespace="sim",
            name=name,
            uid=f"uid-of-{name}",
            resource_version=self.next_version(),
            created=self.now.replace(microsecond=0),
            rendezvous="run",
            rendezvous_uid=self.rendezvous.uid,
            address=f"{name}.sim",
            renew_time=format_time(self.now),
            **fields,
        )
        assert name not in self.members
        self.member_log.append({**self.members, name: member})
        return member

    def patch_members(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Patch some; each that is there gets a new resourceVersion."""
        patched = {
            name: replace(self.members[name], resource_version=self.next_version(), **fields)
            for name, fields in changes.items()
            if name in self.members
        }
        if patched:
            self.member_log.append({**self.members, **patched})

    def delete_member(self, name: str, only_version: str | None = None) -> Member | None:
        """Delete one. Refused if it is not of that version any more; None if it is not there."""
        member = self.members.get(name)
        if member is None:
            return None
        if only_version not in (None, member.resource_version):
            raise RefusedError
        self.member_log.append({key: other for key, other in self.members.items() if key != name})
        return member
