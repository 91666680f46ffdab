"""``Rendezvous``: what people ask for (spec) and what the operator answers (status)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kube_rendezvous.resources.admission_spec import Admission
from kube_rendezvous.resources.comings import Coming
from kube_rendezvous.resources.failure_policy import FailurePolicy, QuarantinedPlace, RecentLoss
from kube_rendezvous.resources.ranking_spec import Ranking

USUAL_HEARTBEAT_SECONDS = 5
"""Between two heartbeats, where the spec says nothing."""

LARGEST_WORLD = 10_000
"""Nodes of one round at the most; the resource definitions say so, too."""

MOST_NAMED_IN_STATUS = 1000
"""Members that `status.ranks` can name; the resource definitions say so, too."""


class State(StrEnum):
    """One word for people; programs use the fields and conditions."""

    WAITING = "Waiting"
    LAST_CALL = "LastCall"
    ACTIVE = "Active"
    REFORMING = "Reforming"
    CLOSED = "Closed"


class LateJoiners(StrEnum):
    """What newcomers do to a round that is not full."""

    RESTART = "Restart"
    WAIT = "Wait"


class Reopen(StrEnum):
    """Whether a rendezvous that a member closed may open again."""

    WHEN_EMPTY = "WhenEmpty"
    NEVER = "Never"


@dataclass(frozen=True, slots=True)
class RendezvousSpec:
    """The wish. Times are in seconds; the API server has checked the bounds."""

    min_nodes: int
    max_nodes: int
    node_unit: int = 1
    last_call_seconds: int = 30
    heartbeat_seconds: int = USUAL_HEARTBEAT_SECONDS
    late_joiners: LateJoiners = LateJoiners.RESTART
    reopen: Reopen = Reopen.WHEN_EMPTY
    closed: bool = False
    max_spares: int | None = None
    failure_policy: FailurePolicy = field(default_factory=FailurePolicy)
    ranking: Ranking = field(default_factory=Ranking)
    admission: Admission = field(default_factory=Admission)


@dataclass(frozen=True, slots=True)
class BootstrapStore:
    """Where rank 0 of the round listens for the bootstrap store's clients."""

    member: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Forming:
    """A round in the making.

    ``interrupts`` tells the members of the current round to stop and to join again; while it is false, either
    nothing runs yet or newcomers gather beside a round that goes on.
    """

    round: int
    reason: str
    message: str
    interrupts: bool
    since: datetime
    deadline: datetime | None = None
    arrived: int = 0
    required: int = 1
    waiting_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    """Why no more rounds are formed.

    ``reopens_on_join``: the next one to join opens it again. ``interrupts``: the members of the newest round must stop,
    because it has failed; otherwise what runs may finish.
    """

    by: str
    at: datetime
    reason: str
    message: str
    reopens_on_join: bool = False
    interrupts: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A standard Kubernetes condition."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_time: datetime
    observed_generation: int = 0


@dataclass(frozen=True, slots=True)
class PastRound:
    """One line of the round history."""

    round: int
    reason: str
    message: str
    world_size: int
    joined: tuple[str, ...]
    joined_count: int
    left: tuple[str, ...]
    left_count: int
    moved_ranks: int
    formed_at: datetime
    forming_seconds: float


@dataclass(frozen=True, slots=True)
class RefusedMember:
    """A member that no round takes, because another one lives in its place; ``message`` says what to do."""

    member: str
    message: str


@dataclass(frozen=True, slots=True)
class Question:
    """A member is asked whether it lives, because the member ``by`` does not hear it: another ``renewTime`` than
    ``renewed`` is the answer."""

    member: str
    by: str
    at: datetime
    renewed: str = ""


@dataclass(frozen=True, slots=True)
class SlicedAssignment:
    """Where the names of a large round lie: see `rendezvous_slice`.

    Args:
        world_size: number of members.
        members: the digests of the slices that hold the members; a name's hash says which holds it.
        history: the digest of the slice that holds the history.
        rank_keys: what tells each member its rank without its slice (`rank_keys`); b"" where nothing does.
    """

    world_size: int
    members: tuple[str, ...]
    history: str
    rank_keys: bytes = b""


@dataclass(frozen=True, slots=True)
class RendezvousStatus:
    """The answer, written by the operator alone, all of a round in one write.

    ``incarnations`` are the beginnings of the UIDs of those with a rank (`Member.incarnation`); empty in a status that
    an earlier version has written. ``spares`` stand by (the first of them by name); ``surplus`` are to go home;
    ``opened_after`` is the newest round when the rendezvous was last opened. ``sliced``: the names lie elsewhere, and
    `ranks`, `slots`, `incarnations`, `domains` and the whole history are here only if somebody has read them there.
    """

    observed_generation: int = 0
    state: State = State.WAITING
    round: int = 0
    sliced: SlicedAssignment | None = None
    ranks: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    incarnations: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    bootstrap_store: BootstrapStore | None = None
    forming: Forming | None = None
    standby: int = 0
    spares: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    opened_after: int = 0
    recent_losses: tuple[RecentLoss, ...] = ()
    comings: tuple[Coming, ...] = ()
    quarantined: tuple[QuarantinedPlace, ...] = ()
    refused: tuple[RefusedMember, ...] = ()
    questions: tuple[Question, ...] = ()
    closed: Closed | None = None
    heartbeat_seconds: int = 0
    conditions: tuple[Condition, ...] = ()
    history: tuple[PastRound, ...] = ()

    @property
    def world_size(self) -> int:
        """Number of members of the newest round."""
        return self.sliced.world_size if self.sliced is not None else len(self.ranks)

    @property
    def is_unread(self) -> bool:
        """Whether the names lie in slices that were not read."""
        return self.sliced is not None and not self.ranks


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """One Rendezvous object as observed."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    spec: RendezvousSpec
    status: RendezvousStatus = field(default_factory=RendezvousStatus)
    managed_by: str = ""
    trusted_places: frozenset[str] = frozenset()
    being_deleted: bool = False
    finalizers: tuple[str, ...] = ()
    created: datetime | None = None
