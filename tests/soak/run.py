"""The soak: blows and quiet points in turn, until the time is over."""

import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from integration.handlers.agents import Agent
from integration.handlers.bad_proxy import BadProxy, Mood
from integration.handlers.runs import Run
from integration.recorder import Recorder
from kube_rendezvous.cluster import ApiFailureError, Connection
from rendezvous_local.operator_process import OperatorProcess
from soak.counting import MemoryLog, descriptor_count, own_resident_mib, socket_names, thread_names
from soak.judgements import Growth, Standing, disorder, growth, leftovers
from soak.places import Places
from soak.plan import Blow, Plan, Step
from soak.readings import Reading, due, growth_after_settling

SPEC = {"minNodes": 4, "lastCallSeconds": 1, "heartbeatSeconds": 1}
FEWEST = 5
QUIET_SECONDS = 60.0
"""After the last blow: an operator back within 10 s, losses known 3 s later, last call 1 s, growth once more; and room
for a busy machine. Longer than that is a hang."""
END_SECONDS = 30.0
RESTARTS_SHARE = 0.4
"""Part of the time in which the operator is restarted; afterwards one process lives on, so that its memory can tell."""


@dataclass
class Account:
    """What happened so far."""

    seed: int
    members: int
    seconds: float = 0.0
    blows: Counter[str] = field(default_factory=Counter)
    moods: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    quiet_points: int = 0
    slowest_quiet: float = 0.0
    operator_restarts: int = 0
    violations: list[str] = field(default_factory=list)
    growth: Growth | None = None
    memory_mib: float = 0.0
    most_memory_mib: float = 0.0
    readings: list[Reading] = field(default_factory=list)


class Soak:
    """One soak on one cluster.

    Args:
        kubeconfig: with every right; of the operator and of what watches here.
        proxy: between the members and the API server; None: there is none.
        connection: the same as kubeconfig; its namespace must be there.
        namespace: an empty one.
        operator: that watches it, running.
        account: written as it goes.
        tell: called with the account after each quiet point.
    """

    def __init__(
        self,
        kubeconfig: Path,
        proxy: BadProxy | None,
        connection: Connection,
        namespace: str,
        operator: OperatorProcess,
        account: Account,
        tell: Callable[[Account], None],
    ) -> None:
        self._connection = connection
        self._operator = operator
        self._account = account
        self._tell = tell
        self._run = Run(connection, namespace, "soak")
        self._proxy = proxy
        self._places = Places(proxy.kubeconfig if proxy is not None else kubeconfig, self._run, account.members)
        self._plan = Plan(account.seed, account.members, FEWEST, proxy=proxy is not None)
        self._memory = MemoryLog()
        self._began = 0.0
        self._slowest_of_late = 0.0

    def go(self, seconds: float, recorder: Recorder) -> None:
        """Run for so long; what is wrong is in the account afterwards."""
        self._began = time.monotonic()
        self._run.create(maxNodes=self._account.members, **SPEC)
        for place in range(self._account.members):
            self._places.arrive(place)
        try:
            self._quiet(recorder)
            while not self._account.violations and self._elapsed < seconds:
                restarts = self._elapsed < RESTARTS_SHARE * seconds
                for step in self._plan.stretch(self._places.taken, restarts=restarts):
                    self._strike(step)
                self._quiet(recorder)
                if due(self._account.readings, self._account.seconds):
                    self._read(recorder)
        finally:
            self._end()

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _strike(self, step: Step) -> None:
        self._watch_memory_for(step.pause)
        self._account.blows[step.blow] += 1
        match step.blow:
            case Blow.ARRIVAL:
                self._places.arrive(step.place)
            case Blow.DEATH:
                self._places.die(step.place)
            case Blow.DEPARTURE:
                self._places.leave(step.place)
            case Blow.DELETION:
                self._places.lose_object(step.place)
            case Blow.OPERATOR_KILL:
                self._operator.crash()
            case Blow.OPERATOR_RESTART:
                self._operator.stop()
                self._operator.start()
            case Blow.OPERATOR_FREEZE:
                self._operator.pause()
                try:
                    self._watch_memory_for(step.seconds)
                finally:
                    self._operator.resume()
            case Blow.BAD_PROXY:
                assert self._proxy is not None
                self._account.moods[step.mood.name.lower()] += 1
                self._proxy.set(step.mood)
                try:
                    self._watch_memory_for(step.seconds)
                finally:
                    self._proxy.set(Mood.GOOD)

    def _watch_memory_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._memory.look(self._operator.pid)
            time.sleep(min(left, 0.25))

    def _quiet(self, recorder: Recorder) -> None:
        """No more blows: everybody must come to run in one round, with nobody and nothing else there."""
        began = time.monotonic()
        account = self._account
        found = self._disorder()
        while found and time.monotonic() - began < QUIET_SECONDS:
            self._watch_memory_for(0.1)
            found = self._disorder()
        account.quiet_points += 1
        settled = time.monotonic() - began
        account.slowest_quiet = max(account.slowest_quiet, settled)
        self._slowest_of_late = max(self._slowest_of_late, settled)
        account.violations += [f"{QUIET_SECONDS:.0f} s after the last blow {what}" for what in found]
        account.violations += self._places.forget_retired()
        account.violations += recorder.violations()
        recorder.forget(self._run.name)
        self._count()

    def _read(self, recorder: Recorder) -> None:
        """With every place taken: each member costs memory, and readings are to be compared."""
        for place in set(range(self._places.count)) - self._places.taken:
            self._places.arrive(place)
        self._quiet(recorder)
        self._account.readings.append(self._reading())
        self._slowest_of_late = 0.0
        self._tell(self._account)

    def _disorder(self) -> list[str]:
        try:
            status = self._run.status
            objects = [member.name for member in self._run.members()]
        except ApiFailureError as failure:
            return [f"the API server does not answer: {failure}"]
        return disorder([*map(_standing, self._places.agents)], status.round, status.ranks, objects)

    def _count(self) -> None:
        account, samples = self._account, self._memory.samples
        account.seconds = self._elapsed
        account.rounds = self._run.status.round
        account.operator_restarts = self._operator.restarts + account.blows[Blow.OPERATOR_RESTART]
        account.growth = growth(samples)
        account.memory_mib = samples[-1].mib if samples else 0.0
        account.most_memory_mib = self._memory.most
        self._tell(account)

    def _reading(self) -> Reading:
        account, newest = self._account, self._memory.samples[-1]
        return Reading(
            seconds=account.seconds,
            operator_mib=newest.mib,
            client_mib=own_resident_mib(),
            operator_age=newest.age,
            descriptors=descriptor_count(),
            threads=threading.active_count(),
            rounds=account.rounds,
            quiet_points=account.quiet_points,
            slowest_settled=self._slowest_of_late,
        )

    def _end(self) -> None:
        """Everybody goes; no object may stay."""
        account = self._account
        self._places.end_all()
        account.violations += self._places.forget_retired()
        deadline = time.monotonic() + END_SECONDS
        while (left := self._run.members()) and time.monotonic() < deadline:
            self._watch_memory_for(0.1)
        account.violations += [f"a Member is left over: {member.name}" for member in left]
        self._run.delete()
        if self._run.get() is not None:
            account.violations.append("the Rendezvous does not go when it is deleted")
        account.seconds = self._elapsed
        account.violations += growth_after_settling(account.readings)
        account.growth = growth(self._memory.samples)
        if account.growth is not None and not account.growth.flat:
            account.violations.append(
                f"the operator's memory grew from {account.growth.first:.1f} to {account.growth.last:.1f} MiB within "
                f"{account.growth.seconds:.0f} s"
            )


@contextmanager
def nothing_left_over(account: Account) -> Iterator[None]:
    """Judges that no thread and no socket of this process is left over at the end of the block."""
    threads, sockets = thread_names(), socket_names()
    yield
    deadline = time.monotonic() + END_SECONDS
    while found := [
        *leftovers("a thread is", threads, thread_names()),
        *leftovers("a socket is", sockets, socket_names()),
    ]:
        if time.monotonic() > deadline:
            account.violations += found
            return
        gc.collect()
        time.sleep(0.1)


def _standing(agent: Agent) -> Standing:
    session = agent.node.handler._session
    member = session.outlook.me.name if session is not None else ""
    return Standing(str(agent.node.slot), agent.runs_in, member, repr(agent.error) if agent.error else "")
