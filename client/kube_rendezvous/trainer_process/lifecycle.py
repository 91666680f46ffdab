"""What `kube-rendezvous run` does next. No I/O, no clock, no threads: an event comes in, actions go out.

    Joining --round formed--> Running --told to stop--> Stopping --trainer ended--> Joining
                                 |--trainer succeeded--> finish (closes, as torchrun), exit 0
                                 |--trainer failed-----> joins again while restarts are left, else leaves, exits so
                                 |--SIGTERM, SIGINT----> Stopping --trainer ended--> leave, exit with its status

Rules that are torchrun's: a new round costs no restart; a failure does, and takes everybody to a new round. Other than
torchrun, a node whose trainer has failed for good leaves and does not close (`close_on_failure` does as torchrun): the
others form a round without it or with its replacement, which is what a restarted pod wants.
"""

from dataclasses import dataclass, replace
from enum import Enum
from signal import SIGTERM

from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.standing_round import StandingRound


class Phase(Enum):
    """Where the node is."""

    JOINING = "joining"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user wants.

    Args:
        max_restarts: how many failures of the trainer may be answered by a new round.
        close_on_failure: the failure that ends this node ends the whole rendezvous.
    """

    max_restarts: int = 0
    close_on_failure: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Where the node is, and what it has to remember.

    Args:
        phase: see there.
        round: the newest one it was given; 0 before the first.
        failures: of the trainer, as far as they count.
        told: the round is over, and the trainer is stopped for that.
        signal: what asked us to end; 0: nothing.
    """

    phase: Phase = Phase.JOINING
    round: int = 0
    failures: int = 0
    told: bool = False
    signal: int = 0


# Events.


@dataclass(frozen=True, slots=True)
class RoundFormed:
    """There is a place for this node."""

    standing: StandingRound


@dataclass(frozen=True, slots=True)
class NoRound:
    """There will be none: closed, no answer in time, not needed. `status`: the exit status for it."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Told:
    """A round is over."""

    why: Interruption


@dataclass(frozen=True, slots=True)
class TrainerEnded:
    """The trainer has ended. `status`: as a shell would say it, 128 + N for signal N."""

    status: int


@dataclass(frozen=True, slots=True)
class GraceOver:
    """The trainer had time enough to end."""


@dataclass(frozen=True, slots=True)
class Signalled:
    """Somebody asks us to end."""

    number: int


Event = RoundFormed | NoRound | Told | TrainerEnded | GraceOver | Signalled

# Actions.


@dataclass(frozen=True, slots=True)
class Join:
    """Join, or join again, and wait for a round."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start the trainer in this round."""

    standing: StandingRound


@dataclass(frozen=True, slots=True)
class End:
    """Ask the trainer to end with this signal; `GraceOver` comes if it does not."""

    signal: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End the trainer now."""


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


Action = Join | Start | End | Kill | Leave | Exit | Say
Step = tuple[State, tuple[Action, ...]]


def step(state: State, event: Event, policy: Policy) -> Step:
    """What to do about an event.

    Args:
        state: before it. Begin with ``State()`` and a `Join`.
        event: what happened. One that comes too late to matter changes nothing.
        policy: what the user wants.
    """
    match state.phase, event:
        case Phase.JOINING, RoundFormed(standing):
            return replace(state, phase=Phase.RUNNING, round=standing.number), (Start(standing),)
        case Phase.JOINING, NoRound(status, message):
            return _end(state, status, close=False, why=message)
        case Phase.JOINING, Signalled(number):
            return _end(state, 128 + number, close=False, why=f"asked to end by signal {number}")
        case Phase.RUNNING, Told(why) if why.round == state.round:
            said = Say(f"round {why.round} is over ({why.reason}): {why.message}; the trainer is stopped")
            return replace(state, phase=Phase.STOPPING, told=True), (said, End(SIGTERM))
        case Phase.RUNNING | Phase.STOPPING, TrainerEnded(status):
            return _trainer_ended(state, status, policy)
        case Phase.RUNNING, Signalled(number):
            return replace(state, phase=Phase.STOPPING, signal=number), (End(number),)
        case Phase.STOPPING, Signalled(number) if not state.signal:
            # The trainer has been asked already, for a new round that we shall not take part in.
            return replace(state, signal=number), ()
        case Phase.STOPPING, Signalled() | GraceOver():
            return state, (Kill(),)
        case _:
            return state, ()


def _trainer_ended(state: State, status: int, policy: Policy) -> Step:
    if state.signal:
        # One that was stopped for a new round may say 0, and is not done.
        return _end(state, 128 + state.signal if state.told else status, close=False, why="")
    if state.told:
        return replace(state, phase=Phase.JOINING, told=False), (Join(),)
    if status == 0:
        return _end(state, 0, close=True, why="the trainer is done")
    if state.failures >= policy.max_restarts:
        why = f"the trainer failed with status {status}, and no restart is left of {policy.max_restarts}"
        return _end(state, status, close=policy.close_on_failure, why=why)
    failures = state.failures + 1
    said = Say(f"the trainer failed with status {status}; restart {failures} of {policy.max_restarts}, in a new round")
    return replace(state, phase=Phase.JOINING, failures=failures), (said, Join())


def _end(state: State, status: int, *, close: bool, why: str) -> Step:
    said = (Say(why),) if why else ()
    return replace(state, phase=Phase.ENDED), (*said, Leave(close), Exit(status))
