"""What `kube-rendezvous run --keep-survivors` does next. No I/O, no clock, no threads: an event in, actions out.

    Gathering --all workers ask--> Joining --round formed--> Running --round over--> Joining
        ^                              |                        |
        |   a worker is being started  |      a worker ends     |
        +------------------------------+------------------------+      the node steps aside: others go on without it

Workers live through rounds. A worker that ends is started again, alone, while `--max-restarts` lasts; until it is ready
the node gives up its place, so that the other nodes re-form at once instead of waiting for imports, and joins again by
growth. A node joins only when every worker has asked for a round: it has imported and built what it needs.

Once a worker has said that the work is done, it is done everywhere: workers end in their own time, whatever happens.

A worker may ask again for what stands (it could not take the round in, or its peers are cut off): then the node joins
again, which takes everybody to a new round. One that has not come for a round within the limit hangs, and is started
again; so is one that says itself that it cannot come. If all came and some could not take it in, one of them hangs, on
some node: a new round shows who.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from signal import SIGTERM

from kube_rendezvous.keeping.happenings import (
    Action,
    Asked,
    EndAll,
    Event,
    Exit,
    GiveRound,
    GraceOver,
    Join,
    KillAll,
    KillWorker,
    Leave,
    LimitOver,
    NoRound,
    Remind,
    RoundFormed,
    SaidDone,
    SaidStuck,
    Say,
    Signalled,
    Spawn,
    StartLimit,
    StepAside,
    StillGathering,
    TellNoMore,
    TellOver,
    Told,
    TookRound,
    WorkerEnded,
)
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.standing_round import StandingRound


class Phase(Enum):
    """Where the node is."""

    GATHERING = "gathering"
    JOINING = "joining"
    RUNNING = "running"
    FINISHING = "finishing"
    ENDING = "ending"
    ENDED = "ended"


class Doing(Enum):
    """What a worker does."""

    STARTING = "starting"
    ASKING = "asking"
    TAKING_IN = "taking in"
    WORKING = "working"
    STUCK = "stuck"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker of the node.

    Args:
        doing: see there.
        round: that it was given last, or says it has had; 0: none.
    """

    doing: Doing = Doing.STARTING
    round: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user wants.

    Args:
        max_restarts: how many ends of workers are answered by a new start.
        close_on_failure: the failure that ends this node ends the whole rendezvous.
    """

    max_restarts: int = 3
    close_on_failure: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Where the node is, and what it has to remember.

    Args:
        workers: index = local rank.
        phase: see there.
        standing: the round that was formed last.
        failures: of workers, as far as they count.
        status: with which the node will end; 0 until something fails.
        close: the end is the end for all.
        closed: the node ends because the rendezvous is closed.
        signalled: it ends, and its workers were told so by a signal.
    """

    workers: tuple[Worker, ...]
    phase: Phase = Phase.GATHERING
    standing: StandingRound | None = None
    failures: int = 0
    status: int = 0
    close: bool = False
    closed: bool = False
    signalled: bool = False

    @property
    def round(self) -> int:
        """The number of the round that was formed last; 0: none."""
        return 0 if self.standing is None else self.standing.number


Step = tuple[State, tuple[Action, ...]]

_GONE = (Doing.DONE, Doing.FAILED)


def first_step(workers: int) -> Step:
    """Begin: all workers are started.

    Args:
        workers: how many the node has.
    """
    return State((Worker(),) * workers), (*(Spawn(local_rank) for local_rank in range(workers)), Remind())


def step(state: State, event: Event, policy: Policy) -> Step:
    """What to do about an event.

    Args:
        state: before it.
        event: what happened. One that comes too late to matter changes nothing.
        policy: what the user wants.
    """
    match state.phase, event:
        case Phase.ENDED, _:
            return state, ()
        case Phase.FINISHING, _:
            return _finishing(state, event)
        case Phase.ENDING, SaidDone(local_rank) if state.closed:
            return _all_is_done(state, local_rank)  # and that is why
        case Phase.ENDING, WorkerEnded(local_rank, status):
            return _ended_while_ending(state, local_rank, status)
        case Phase.ENDING, Signalled(number) if not state.signalled:  # they end in their own time, and may be saving
            return replace(state, signalled=True), (EndAll(number),)
        case Phase.ENDING, Signalled() | GraceOver():
            return state, (KillAll(),)
        case Phase.ENDING, _:
            return state, ()
        case _, Asked(local_rank) | TookRound(local_rank) if state.workers[local_rank].doing is Doing.STUCK:
            return state, ()  # said before its end was asked for
        case _, Asked(local_rank, after):
            return _asked(state, local_rank, after, policy)
        case _, TookRound(local_rank, number) if number == state.round:
            return _with(state, local_rank, Worker(Doing.WORKING, number)), ()
        case _, SaidDone(local_rank):
            return _all_is_done(state, local_rank)
        case _, SaidStuck(local_rank, number):
            text = f"worker {local_rank} waits in round {number}, which is over, for a transfer that gloo will not end"
            return _with(state, local_rank, Worker(Doing.STUCK, number)), (Say(text), KillWorker(local_rank))
        case _, WorkerEnded(local_rank, status):
            return _worker_ended(state, local_rank, status, policy)
        case Phase.JOINING, RoundFormed(standing):
            return _formed(state, standing)
        case Phase.JOINING, NoRound(status, message, closed):
            ending = replace(state, phase=Phase.ENDING, status=status, closed=closed)
            return ending, (Say(message), TellNoMore(message, closed), EndAll(0))
        case Phase.RUNNING, Told(why) if why.round == state.round:
            return replace(state, phase=Phase.JOINING), (Say(_over(why)), TellOver(why), Join())
        case Phase.GATHERING, StillGathering():
            waited_for = [local_rank for local_rank, one in enumerate(state.workers) if one.doing is Doing.STARTING]
            text = (
                f"workers {waited_for} have not asked for a round yet: do they call kube_rendezvous.survival.survive()?"
            )
            return state, (*([Say(text)] if waited_for else []), Remind())
        case Phase.RUNNING, LimitOver(number) if number == state.round:
            return _too_late(state)
        case Phase.RUNNING | Phase.JOINING, LimitOver(number) if number <= state.round:
            # Rounds that follow each other quickly do not give one that hangs another limit each.
            return state, tuple(_not_come_for(state, number, (Doing.WORKING, Doing.TAKING_IN)))
        case Phase.GATHERING, LimitOver(number) if number == state.round:
            return state, tuple(_not_come_out(state))
        case _, Signalled(number):
            return replace(state, phase=Phase.ENDING, status=128 + number, signalled=True), (EndAll(number),)
        case _:
            return state, ()


def _all_is_done(state: State, local_rank: int) -> Step:
    """A worker has said so: what it and all others have agreed on in its round."""
    failed = any(worker.doing is Doing.FAILED for worker in state.workers)
    done_in = state.workers[local_rank].round
    state = replace(state, phase=Phase.FINISHING, close=True, status=state.status if failed else 0)
    actions: list[Action] = []
    for each, worker in enumerate(state.workers):
        if worker.doing is Doing.STARTING:  # it has ended badly at the very end
            text = f"the work is done: worker {each}, which had to be started again, is not needed any more"
            actions += [Say(text), KillWorker(each)]
    if any(worker.doing is Doing.ASKING for worker in state.workers):
        actions += _no_other_round()
    if any(worker.doing is Doing.TAKING_IN and worker.round > done_in for worker in state.workers):
        # It waits there for those that are done.
        actions.append(TellOver(Interruption(state.round, "WorkDone", "the work was done in the round before")))
    return state, tuple(actions)


def _no_other_round() -> list[Action]:
    """For a worker that has missed the answer, or has asked for a round before it was there."""
    text = "there is no other round: the work is done"
    return [Say(text), TellNoMore(text, closed=True)]


def _finishing(state: State, event: Event) -> Step:
    match event:
        case WorkerEnded(local_rank, status) if status == 0 or state.workers[local_rank].doing is Doing.STUCK:
            return _end_if_all_are_gone(_with(state, local_rank, Worker(Doing.DONE)))
        case WorkerEnded(local_rank, status):
            state = replace(_with(state, local_rank, Worker(Doing.FAILED)), status=state.status or status)
            state, actions = _end_if_all_are_gone(state)
            return state, (Say(f"worker {local_rank} has ended with status {status} after the work was done"), *actions)
        case Asked(local_rank, _):
            return _with(state, local_rank, Worker(Doing.ASKING)), tuple(_no_other_round())
        case Told(why) if why.round == state.round:
            return state, (TellOver(why),)  # who serves the store need not wait for one that is gone
        case Signalled(number):
            ending = replace(state, phase=Phase.ENDING, status=128 + number, closed=False, signalled=True)
            return ending, (EndAll(number),)
        case _:
            return state, ()


def _asked(state: State, local_rank: int, after: int, policy: Policy) -> Step:
    state = _with(state, local_rank, Worker(Doing.ASKING, after))
    if any(worker.doing is Doing.DONE for worker in state.workers):
        return _incomplete_if_one_asks(state, policy)
    standing = state.standing
    if state.phase is Phase.GATHERING:
        return _join_if_all_ask(state)
    if state.phase is not Phase.RUNNING or standing is None:
        return state, ()
    if after < standing.number:
        return _with(state, local_rank, Worker(Doing.TAKING_IN, standing.number)), (GiveRound(local_rank, standing),)
    return _again(state, "WorkerAsksAgain", f"worker {local_rank} of this node cannot go on in it")


def _incomplete_if_one_asks(state: State, policy: Policy) -> Step:
    """No round has room for a part of a node: who asks for one would wait for ever."""
    if all(worker.doing is not Doing.ASKING for worker in state.workers):
        return state, ()
    ended = [local_rank for local_rank, worker in enumerate(state.workers) if worker.doing is Doing.DONE]
    text = f"no other round: workers {ended} of this node have ended with success before the work was done everywhere"
    state = replace(state, phase=Phase.ENDING, status=state.status or 1, close=policy.close_on_failure)
    return state, (Say(text), TellNoMore(text, closed=False), EndAll(0))


def _join_if_all_ask(state: State) -> Step:
    if all(worker.doing is Doing.ASKING for worker in state.workers):
        return replace(state, phase=Phase.JOINING), (Join(),)
    return state, ()


def _formed(state: State, standing: StandingRound) -> Step:
    state = replace(state, phase=Phase.RUNNING, standing=standing)
    if any(worker.doing is Doing.STARTING for worker in state.workers):
        # It ended while this node was joining: nobody shall wait for its imports.
        said = Say(f"round {standing.number} has formed while a worker of this node is being started: it steps aside")
        return _step_aside(state, f"a worker of this node is not ready for round {standing.number}", said)
    given: list[Action] = []
    for local_rank, worker in enumerate(state.workers):
        if worker.doing is not Doing.ASKING:
            continue
        if worker.round < standing.number:
            given.append(GiveRound(local_rank, standing))
            state = _with(state, local_rank, Worker(Doing.TAKING_IN, standing.number))
        else:  # the Rendezvous was created anew: it waits for a number that may never come, and others for it
            text = f"worker {local_rank} was in round {worker.round}, and rounds are counted anew: it is started again"
            given += [Say(text), KillWorker(local_rank)]
            state = _with(state, local_rank, replace(worker, doing=Doing.STUCK))  # no failure of its own
    said = Say(f"round {standing.number}: node {standing.rank} of {standing.world_size}")
    return state, (said, *given, StartLimit(standing.number))


def _step_aside(state: State, message: str, *said: Action) -> Step:
    why = Interruption(state.round, "WorkerEnded", message)
    state = replace(state, phase=Phase.GATHERING)
    state, joins = _join_if_all_ask(state)
    return state, (*said, StepAside(), TellOver(why), StartLimit(state.round), *joins)


def _worker_ended(state: State, local_rank: int, status: int, policy: Policy) -> Step:
    if status == 0:
        state = _with(state, local_rank, Worker(Doing.DONE))
        return _end_if_all_are_gone(state) if _all_are_gone(state) else _incomplete_if_one_asks(state, policy)
    failed = f"worker {local_rank} has ended with status {status}"
    if any(worker.doing is Doing.DONE for worker in state.workers):
        # One has ended with success, and said nothing: there is no round that another one of it could join.
        state = replace(_with(state, local_rank, Worker(Doing.FAILED)), status=state.status or status)
        all_are_gone = _all_are_gone(state)
        state, actions = _end_if_all_are_gone(state) if all_are_gone else _incomplete_if_one_asks(state, policy)
        return state, (Say(f"{failed} after the work was done"), *actions)
    if state.workers[local_rank].doing is Doing.STUCK:  # no failure of its own
        return _start_again(state, local_rank, failed, f"worker {local_rank} is started again")
    if state.failures >= policy.max_restarts:
        state = replace(
            _with(state, local_rank, Worker(Doing.FAILED)),
            phase=Phase.ENDING,
            status=status,
            close=policy.close_on_failure,
            signalled=True,
        )
        said = Say(f"{failed}, and no restart is left of {policy.max_restarts}")
        state, actions = _end_if_all_are_gone(state)
        return state, (said, *(actions or (EndAll(SIGTERM),)))
    state = replace(state, failures=state.failures + 1)
    text = f"{failed}; it is started again, restart {state.failures} of {policy.max_restarts}"
    return _start_again(state, local_rank, failed, text)


def _start_again(state: State, local_rank: int, why: str, text: str) -> Step:
    state = _with(state, local_rank, Worker())
    if state.phase is not Phase.RUNNING:
        return state, (Say(text), Spawn(local_rank), Remind())
    state, actions = _step_aside(state, why)
    return state, (Say(text), *actions, Spawn(local_rank), Remind())


def _ended_while_ending(state: State, local_rank: int, status: int) -> Step:
    doing = Doing.DONE if status == 0 else Doing.FAILED
    return _end_if_all_are_gone(_with(state, local_rank, Worker(doing)))


def _all_are_gone(state: State) -> bool:
    return all(worker.doing in _GONE for worker in state.workers)


def _end_if_all_are_gone(state: State) -> Step:
    if not _all_are_gone(state):
        return state, ()
    all_done = all(worker.doing is Doing.DONE for worker in state.workers)
    close = state.close or (all_done and state.phase is not Phase.ENDING)
    return replace(state, phase=Phase.ENDED), (Leave(close), Exit(state.status))


def _too_late(state: State) -> Step:
    """The limit for taking the round in is over. One that has never come for it hangs, and all others wait for that
    one: to end those would end every worker of the job. One that came and hangs is seen when it does not come again."""
    actions = _not_come_for(state, state.round, tuple(set(Doing) - set(_GONE)))
    if actions or all(worker.doing is not Doing.TAKING_IN for worker in state.workers):
        return state, tuple(actions)
    waiting = [local_rank for local_rank, worker in enumerate(state.workers) if worker.doing is Doing.TAKING_IN]
    return _again(state, "NotTakenIn", f"workers {waiting} of this node could not take it in within the limit")


def _not_come_for(state: State, number: int, doing: Collection[Doing]) -> list[Action]:
    """For this round, or a later one, each worker that does one of these should have come by now."""
    actions: list[Action] = []
    for local_rank, worker in enumerate(state.workers):
        if worker.doing in doing and worker.round < number:
            text = f"worker {local_rank} has not taken round {number} in within the limit: it is started again"
            actions += [Say(text), KillWorker(local_rank)]
    return actions


def _not_come_out(state: State) -> list[Action]:
    """The node has stepped aside, and waits for all workers; one still hangs in a round that is over."""
    actions: list[Action] = []
    for local_rank, worker in enumerate(state.workers):
        if worker.doing in (Doing.WORKING, Doing.TAKING_IN):
            text = f"worker {local_rank} has not come out of round {worker.round} within the limit: it is started again"
            actions += [Say(text), KillWorker(local_rank)]
    return actions


def _again(state: State, reason: str, message: str) -> Step:
    """Take everybody to a new round."""
    why = Interruption(state.round, reason, message)
    return replace(state, phase=Phase.JOINING), (Say(_over(why)), TellOver(why), Join())


def _with(state: State, local_rank: int, worker: Worker) -> State:
    workers = list(state.workers)
    workers[local_rank] = worker
    return replace(state, workers=tuple(workers))


def _over(why: Interruption) -> str:
    return f"round {why.round} is over ({why.reason}): {why.message}"
