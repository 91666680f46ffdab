"""What happens to a node whose workers live through rounds, and what is done about it: the words of `lifecycle`."""

from dataclasses import dataclass

from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.standing_round import StandingRound

# Events.


@dataclass(frozen=True, slots=True)
class Asked:
    """A worker runs nothing and wants a round newer than ``after``."""

    local_rank: int
    after: int


@dataclass(frozen=True, slots=True)
class TookRound:
    """A worker works in this round."""

    local_rank: int
    round: int


@dataclass(frozen=True, slots=True)
class SaidDone:
    """A worker has agreed with all others of the round that the work is done."""

    local_rank: int


@dataclass(frozen=True, slots=True)
class SaidStuck:
    """A worker waits in a round that is over for what cannot come, and will not come out of it."""

    local_rank: int
    round: int


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker's process has ended. `status`: as a shell would say it, 128 + N for signal N."""

    local_rank: int
    status: int


@dataclass(frozen=True, slots=True)
class RoundFormed:
    """There is a place for this node."""

    standing: StandingRound


@dataclass(frozen=True, slots=True)
class NoRound:
    """There will be none. `status`: the exit status for it; `closed`: because the rendezvous is closed."""

    status: int
    message: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A round is over."""

    why: Interruption


@dataclass(frozen=True, slots=True)
class LimitOver:
    """All workers had time enough to take this round in."""

    round: int


@dataclass(frozen=True, slots=True)
class StillGathering:
    """A while has passed since workers were started, or since this came last."""


@dataclass(frozen=True, slots=True)
class GraceOver:
    """The workers had time enough to end."""


@dataclass(frozen=True, slots=True)
class Signalled:
    """Somebody asks us to end."""

    number: int


Event = (
    Asked
    | TookRound
    | SaidDone
    | SaidStuck
    | WorkerEnded
    | RoundFormed
    | NoRound
    | Told
    | LimitOver
    | StillGathering
    | GraceOver
    | Signalled
)

# Actions.


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start this worker."""

    local_rank: int


@dataclass(frozen=True, slots=True)
class GiveRound:
    """Give this worker the round."""

    local_rank: int
    standing: StandingRound


@dataclass(frozen=True, slots=True)
class TellOver:
    """Tell all workers that their round is over."""

    why: Interruption


@dataclass(frozen=True, slots=True)
class TellNoMore:
    """Tell all workers that there will be no other round."""

    message: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Join:
    """Join, or join again, and wait for a round."""


@dataclass(frozen=True, slots=True)
class StepAside:
    """Give up the node's place; the next `Join` is another incarnation's."""


@dataclass(frozen=True, slots=True)
class StartLimit:
    """`LimitOver` comes when the time for taking this round in is over."""

    round: int


@dataclass(frozen=True, slots=True)
class Remind:
    """`StillGathering` comes in a while."""


@dataclass(frozen=True, slots=True)
class KillWorker:
    """End this worker now."""

    local_rank: int


@dataclass(frozen=True, slots=True)
class EndAll:
    """Ask all workers to end with this signal; `GraceOver` comes if they do not. 0: they know already."""

    signal: int


@dataclass(frozen=True, slots=True)
class KillAll:
    """End all workers now."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the rendezvous; `close`: and end it for all."""

    close: bool


@dataclass(frozen=True, slots=True)
class Exit:
    """End with this status."""

    status: int


@dataclass(frozen=True, slots=True)
class Say:
    """For the log."""

    text: str


Action = (
    Spawn
    | GiveRound
    | TellOver
    | TellNoMore
    | Join
    | StepAside
    | StartLimit
    | Remind
    | KillWorker
    | EndAll
    | KillAll
    | Leave
    | Exit
    | Say
)
