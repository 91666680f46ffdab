"""Whatever happens to a node whose workers live through rounds, and in whatever order."""

from signal import SIGTERM

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kube_rendezvous.keeping.happenings import (
    Action,
    Asked,
    EndAll,
    Event,
    Exit,
    GiveRound,
    GraceOver,
    Join,
    Leave,
    LimitOver,
    SaidDone,
    SaidStuck,
    Signalled,
    Spawn,
    StillGathering,
    TellNoMore,
    TookRound,
    WorkerEnded,
)
from kube_rendezvous.keeping.lifecycle import Doing, Phase, Policy, first_step, step
from unit.keeping.test_lifecycle import NO_MORE, formed, told

WORKERS = 3
RANKS = st.integers(0, WORKERS - 1)
STATUSES = st.sampled_from([0, 0, 1, 137, 143])


class AnyLife(RuleBasedStateMachine):
    """Whatever happens to a node, in whatever order a real one can see it."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = Policy(max_restarts=2)
        self.alive: set[int] = set()
        self.waits: dict[int, bool] = {}
        self.held: dict[int, int] = {}
        self.joins = 0
        self.exits = 0
        self.rounds = 0
        self.knows_the_end = False
        self.state, actions = first_step(WORKERS)
        self.carry_out(actions)

    def carry_out(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            assert self.exits == 0, f"{action} after Exit"
            match action:
                case Spawn(local_rank):
                    assert local_rank not in self.alive
                    self.alive.add(local_rank)
                    self.waits[local_rank], self.held[local_rank] = False, 0
                case GiveRound(local_rank, its):
                    assert local_rank in self.alive
                    assert self.waits[local_rank], f"worker {local_rank} has not asked"
                    assert its.number > self.held[local_rank]
                    self.waits[local_rank], self.held[local_rank] = False, its.number
                case Join():
                    self.joins += 1
                    assert self.joins == 1, "two Joins are under way"
                case TellNoMore() | EndAll():
                    self.knows_the_end = True
                case Leave():
                    assert not self.alive
                case Exit():
                    self.exits += 1

    def see(self, event: Event) -> None:
        self.state, actions = step(self.state, event, self.policy)
        self.carry_out(actions)

    @rule(local_rank=RANKS)
    def a_worker_asks(self, local_rank: int) -> None:
        if local_rank in self.alive and not self.waits[local_rank] and not self.knows_the_end:
            self.waits[local_rank] = True
            self.see(Asked(local_rank, self.held[local_rank]))

    @rule(local_rank=RANKS)
    def a_worker_works(self, local_rank: int) -> None:
        if local_rank in self.alive and not self.waits[local_rank] and self.held[local_rank]:
            self.see(TookRound(local_rank, self.held[local_rank]))

    @rule(local_rank=RANKS, status=STATUSES)
    def a_worker_ends(self, local_rank: int, status: int) -> None:
        if local_rank in self.alive:
            self.alive.remove(local_rank)
            self.see(WorkerEnded(local_rank, status))

    @precondition(lambda self: self.joins)
    @rule()
    def a_round_forms(self) -> None:
        self.joins, self.rounds = 0, self.rounds + 1
        self.see(formed(self.rounds))

    @precondition(lambda self: self.joins)
    @rule()
    def there_will_be_no_round(self) -> None:
        self.joins = 0
        self.see(NO_MORE)

    @precondition(lambda self: self.rounds)
    @rule(older=st.integers(0, 1))
    def the_round_is_over(self, older: int) -> None:
        self.see(told(max(1, self.rounds - older)))

    @precondition(lambda self: self.rounds)
    @rule(older=st.integers(0, 1))
    def the_limit_is_over(self, older: int) -> None:
        self.see(LimitOver(max(1, self.rounds - older)))

    @rule(local_rank=RANKS)
    def a_worker_says_that_it_is_done(self, local_rank: int) -> None:
        if local_rank in self.alive and self.held[local_rank]:
            self.see(SaidDone(local_rank))

    @rule(local_rank=RANKS)
    def a_worker_says_that_it_is_stuck(self, local_rank: int) -> None:
        if local_rank in self.alive and self.held[local_rank]:
            self.see(SaidStuck(local_rank, self.held[local_rank]))

    @rule(event=st.sampled_from([GraceOver(), StillGathering()]))
    def time_passes(self, event: Event) -> None:
        self.see(event)

    @rule()
    def somebody_wants_it_to_end(self) -> None:
        self.see(Signalled(SIGTERM))

    @invariant()
    def no_worker_is_without_a_process_unless_it_is_done_or_the_node_ends(self) -> None:
        if self.state.phase not in (Phase.ENDING, Phase.ENDED):
            without = set(range(WORKERS)) - self.alive
            assert all(self.state.workers[each].doing in (Doing.DONE, Doing.FAILED) for each in without)

    @invariant()
    def the_node_ends_when_all_workers_have_ended_and_not_before(self) -> None:
        assert self.exits == (not self.alive)
        assert (self.state.phase is Phase.ENDED) == (not self.alive)

    @invariant()
    def it_waits_for_a_round_when_it_says_so(self) -> None:
        if self.state.phase is Phase.JOINING:
            assert self.joins == 1

    @invariant()
    def it_does_not_wait_for_workers_that_all_wait_for_it(self) -> None:
        if self.state.phase is Phase.GATHERING and self.alive == set(range(WORKERS)):
            assert not all(self.waits[each] for each in self.alive)


AnyLife.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestAnyLife = AnyLife.TestCase
