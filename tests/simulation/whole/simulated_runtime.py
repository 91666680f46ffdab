"""Threads and time for the shipped code: each thread is a greenlet, and all of them share the world's clock.

The product's modules are not rewritten and take no clock: while a scenario runs, their `threading`, `time`, `random`,
`queue` and `datetime` are the ones of this file (`simulated_modules`). One greenlet runs at a time, from one wait to
the next, and the world's queue says which: with one seed it is always the same.
"""

import random
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

from greenlet import getcurrent, greenlet

LONGEST_TURN_LAG = 0.0005
"""Seconds that a thread takes at the most to go on once it can."""

SHORTEST_WAIT = 1e-6
"""Seconds: no wait takes no time, or a loop that waits for less than the clock can tell would never end."""


Owner = TypeVar("Owner")


class Killed(BaseException):
    """SIGKILL of the process that this thread belongs to."""


class Clock(Protocol):
    """What is needed of the world."""

    rng: random.Random
    seconds: float
    processes: "list[Process]"

    @property
    def now(self) -> datetime: ...
    def after(self, seconds: float, action: Callable[[], None]) -> None: ...


class Process:
    """A simulated process: its threads die with it.

    Args:
        clock: of the world.
        label: for people.
        owner: what of the simulation it belongs to.
    """

    def __init__(self, clock: Clock, label: str, owner: Any = None) -> None:
        self.clock, self.label, self.owner = clock, label, owner
        self.dead = False
        self.ahead = timedelta(0)
        """So much its wall clock is ahead of the true time."""
        self.stopped_until = 0.0
        self.threads: list[SimulatedThread] = []
        self.tasks: list[_Task] = []
        clock.processes.append(self)

    def start(self, run: Callable[[], None], name: str) -> "SimulatedThread":
        """Start a thread in it, from outside."""
        thread = SimulatedThread(target=run, name=name, process=self)
        thread.start()
        return thread

    def kill(self) -> None:
        """End all its threads where they stand; nothing that they do on their way out reaches anybody."""
        self.dead = True
        threads, self.threads = self.threads, []
        for thread in threads:
            if thread.task:  # it has begun, and not ended
                thread.task.throw(Killed)

    def stop(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so much later."""
        self.stopped_until = self.clock.seconds + seconds

    def forget(self) -> None:
        """It will not be asked for again. Some dead tasks are never freed; what they knew is."""
        for task in self.tasks:
            del task.thread, task.process, task.simulation


class _Task(greenlet):
    """In slots what is asked for at each wait: Python finds it there much faster than beside a greenlet's own."""

    __slots__ = "process", "simulation", "thread", "turn"

    def __init__(self, run: Callable[[], None], simulation: greenlet, thread: "SimulatedThread") -> None:
        super().__init__(run, simulation)
        self.turn = 0
        self.thread, self.process, self.simulation = thread, thread.process, simulation


def current_process() -> Process | None:
    """Whose thread runs; None: the simulation itself does."""
    task = getcurrent()
    return task.process if isinstance(task, _Task) else None


def current_owner(kind: type[Owner]) -> Owner:
    """What the process whose thread runs belongs to: one of this kind."""
    process = current_process()
    assert process is not None
    owner = process.owner
    assert isinstance(owner, kind)
    return owner


def check_alive() -> None:
    """Raise `Killed` in a thread of a process that is dead."""
    process = current_process()
    if process is not None and process.dead:
        raise Killed


def park(timeout: float | None, waiting: "deque[Waiter] | None" = None) -> bool:
    """Wait until somebody wakes this thread through ``waiting``; return whether it was woken.

    Args:
        timeout: seconds; None: no limit.
        waiting: where whoever wakes it finds it.
    """
    task = getcurrent()
    assert isinstance(task, _Task), "the simulation itself must not wait"
    process = task.process
    if process.dead:
        raise Killed
    turn = task.turn
    waiter = (task, turn)
    if waiting is not None:
        waiting.append(waiter)
    if timeout is not None:
        process.clock.after(timeout if timeout > SHORTEST_WAIT else SHORTEST_WAIT, partial(_resume, task, turn, False))
    woken: bool = task.simulation.switch()
    if process.dead:
        raise Killed
    if not woken and waiting and waiter in waiting:
        waiting.remove(waiter)  # or it would take the next wake-up from somebody who needs it
    return woken


Waiter = tuple[_Task, int]


def wake(waiter: Waiter) -> None:
    """Let a thread that is parked go on soon; nothing if it has gone on already."""
    task, turn = waiter
    clock = task.process.clock
    clock.after(clock.rng.random() * LONGEST_TURN_LAG, partial(_resume, task, turn, True))


def pause(seconds: float) -> None:
    """Let so much time pass for this thread."""
    park(seconds)


def _resume(task: _Task, turn: int, woken: bool) -> None:
    if task.turn == turn and not (process := task.process).dead:  # one that has ended has had its turn
        if process.stopped_until and process.stopped_until > (now := process.clock.seconds):
            process.clock.after(process.stopped_until - now, partial(_resume, task, turn, woken))
            return
        task.turn += 1
        task.switch(woken)


class SimulatedThread:
    """As `threading.Thread`."""

    def __init__(
        self,
        target: Callable[..., None],
        name: str = "",
        args: tuple[Any, ...] = (),
        daemon: bool = True,
        process: Process | None = None,
    ) -> None:
        here = process or current_process()
        assert here is not None, "a thread of no process"
        self.process, self.name, self.daemon = here, name, daemon
        self.ident: int | None = None
        self._ended: deque[Waiter] = deque()
        maker = getcurrent()
        simulation = maker.simulation if isinstance(maker, _Task) else maker
        self.task = _Task(partial(self._run, target, args), simulation, self)
        here.tasks.append(self.task)

    def start(self) -> None:
        check_alive()
        self.ident = 1 + len(self.process.threads)
        self.process.threads.append(self)
        clock = self.process.clock
        clock.after(clock.rng.uniform(0.0, LONGEST_TURN_LAG), partial(_resume, self.task, 0, True))

    def is_alive(self) -> bool:
        return self.ident is not None and not self.task.dead

    def join(self, timeout: float | None = None) -> None:
        if self.is_alive():
            park(timeout, self._ended)

    def _run(self, target: Callable[..., None], args: tuple[Any, ...], _: bool = True) -> None:
        try:
            target(*args)
        except Killed:
            return
        while self._ended:
            wake(self._ended.popleft())


class _Outside:
    """The simulation itself, where the product asks which thread it is in."""

    name, ident, daemon = "simulation", 0, False


_OUTSIDE = _Outside()


def _current_thread() -> Any:
    task = getcurrent()
    return task.thread if isinstance(task, _Task) else _OUTSIDE


class SimulatedLock:
    """As `threading.Lock` and `threading.RLock`. Ten thousand times a scenario one is free, and is taken at once."""

    __slots__ = "_depth", "_holder", "_reentrant", "_waiting"

    def __init__(self, *, reentrant: bool = False) -> None:
        self._reentrant = reentrant
        self._holder: Any = None
        self._depth = 0
        self._waiting: deque[Waiter] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = getcurrent()
        if self._holder is me and self._reentrant:
            self._depth += 1
            return True
        while self._holder is not None:
            if not blocking or (not park(None if timeout < 0 else timeout, self._waiting) and self._holder is not None):
                return False
        self._holder, self._depth = me, 1
        return True

    def release(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._holder = None
            if self._waiting:
                wake(self._waiting.popleft())

    def locked(self) -> bool:
        return self._holder is not None

    def __enter__(self) -> bool:
        if self._holder is not None:
            return self.acquire()
        self._holder, self._depth = getcurrent(), 1
        return True

    def __exit__(self, *_: object) -> None:
        if self._depth == 1 and not self._waiting:
            self._holder, self._depth = None, 0
        else:
            self.release()


class SimulatedCondition:
    """As `threading.Condition`."""

    __slots__ = "_lock", "_waiting"

    def __init__(self, lock: SimulatedLock | None = None) -> None:
        self._lock = lock or SimulatedLock(reentrant=True)
        self._waiting: deque[Waiter] = deque()

    def __enter__(self) -> bool:
        lock = self._lock
        if lock._holder is not None:
            return lock.acquire()
        lock._holder, lock._depth = getcurrent(), 1
        return True

    def __exit__(self, *_: object) -> None:
        lock = self._lock
        if lock._depth == 1 and not lock._waiting:
            lock._holder, lock._depth = None, 0
        else:
            lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        lock = self._lock
        depth, lock._depth = lock._depth, 1
        lock.release()
        try:
            return park(timeout, self._waiting)
        finally:
            process = current_process()
            if process is not None and not process.dead:
                lock.acquire()
            lock._depth = depth

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        process = current_process()
        assert process is not None
        end = None if timeout is None else process.clock.seconds + max(SHORTEST_WAIT, timeout)
        while not (true := predicate()):
            rest = None if end is None else end - process.clock.seconds
            if rest is not None and rest <= 0:
                check_alive()
                break
            self.wait(rest)
        return true

    def notify(self, count: int = 1) -> None:
        for _ in range(min(count, len(self._waiting))):
            wake(self._waiting.popleft())

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class SimulatedEvent:
    """As `threading.Event`."""

    def __init__(self) -> None:
        self._set = False
        self._waiting: deque[Waiter] = deque()

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        while self._waiting:
            wake(self._waiting.popleft())

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        check_alive()
        if not self._set:
            park(timeout, self._waiting)
        return self._set


class FullError(Exception):
    """As `queue.Full`."""


class SimulatedQueue:
    """As `queue.Queue`, as far as it is used."""

    def __init__(self, most: int = 0) -> None:
        self._most = most
        self._items: deque[Any] = deque()
        self._waiting: deque[Waiter] = deque()

    def put_nowait(self, item: Any) -> None:
        if self._most and len(self._items) >= self._most:
            raise FullError
        self._items.append(item)
        if self._waiting:
            wake(self._waiting.popleft())

    def get(self) -> Any:
        while not self._items:
            park(None, self._waiting)
        return self._items.popleft()

    def __class_getitem__(cls, _: Any) -> type["SimulatedQueue"]:
        return cls


def simulated_threading() -> SimpleNamespace:
    """In the place of `threading`."""
    return SimpleNamespace(
        Thread=SimulatedThread,
        Lock=SimulatedLock,
        RLock=partial(SimulatedLock, reentrant=True),
        Condition=SimulatedCondition,
        Event=SimulatedEvent,
        TIMEOUT_MAX=1e9,
        current_thread=_current_thread,
        main_thread=lambda: None,  # no signal comes
    )


def simulated_time(clock: Clock) -> SimpleNamespace:
    """In the place of `time`. Work takes no time, but is measured as if it took some."""
    worked = [0.0]

    def perf_counter() -> float:
        worked[0] += clock.rng.random() * 0.01
        return worked[0]

    return SimpleNamespace(
        monotonic=lambda: clock.seconds,
        time=lambda: wall_clock(clock).timestamp(),
        perf_counter=perf_counter,
        sleep=pause,
    )


def wall_clock(clock: Clock) -> datetime:
    """What the process whose thread runs takes for the time, UTC."""
    process = current_process()
    return clock.now + (process.ahead if process is not None else timedelta(0))


def simulated_datetime(clock: Clock) -> type[datetime]:
    """In the place of `datetime.datetime`."""

    class Simulated(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return wall_clock(clock)

    return Simulated
