"""While a scenario runs, the modules of the product have the world's threads, time and chance instead of Python's."""

import asyncio
import contextlib
import logging
import queue
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache, partial
from types import ModuleType, SimpleNamespace
from typing import Any

import kube_rendezvous.handler  # noqa: F401 - and with it all that it is made of
import kube_rendezvous_operator.shell.app  # noqa: F401 - and with it all that it is made of
from kube_rendezvous.signal_proof import new_lock
from simulation.whole.simulated_runtime import (
    Clock,
    FullError,
    Killed,
    SimulatedLock,
    SimulatedQueue,
    current_process,
    pause,
    simulated_datetime,
    simulated_threading,
    simulated_time,
)

Replacement = tuple[Any, str, Any]
"""An object, the name of an attribute of it, and what that is to be."""

_PRODUCT = ("kube_rendezvous_operator.shell.", "kube_rendezvous.cluster.", "kube_rendezvous.membership.")
_SINGLE = ("kube_rendezvous.handler", "kube_rendezvous.settling", "kube_rendezvous.signal_proof")
_OUTSIDE = (
    "kube_rendezvous_operator.shell.monitoring.probes",
    "kube_rendezvous.cluster.tls",
    # Of handlers and connections of other tests, which are collected while a scenario runs:
    "kube_rendezvous.membership.farewell",
    "kube_rendezvous.cluster.idle_connections",
)


_EXPECTED = "The lease is lost"
"""An error that a scenario means to bring about."""


class Unexpected(logging.Handler):
    """What the product itself calls an error, it did not expect: told to the world."""

    def __init__(self, tell: Any) -> None:
        super().__init__(logging.ERROR)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        process = current_process()
        killed = record.exc_info and isinstance(record.exc_info[1], Killed)
        expected = record.msg.startswith(_EXPECTED)
        if not killed and not expected and not (process is not None and process.dead):
            why = f" ({record.exc_info[1]!r})" if record.exc_info else ""
            self._tell(f"{process.label if process is not None else 'somebody'} logs: {record.getMessage()}{why}")


def _modules() -> list[ModuleType]:
    return [
        module
        for name, module in sorted(sys.modules.items())
        if (name.startswith(_PRODUCT) or name in _SINGLE) and name not in _OUTSIDE
    ]


async def _sleep(seconds: float) -> None:
    pause(seconds)


def replacements(clock: Clock, others: Sequence[tuple[Any, Any]] = ()) -> list[Replacement]:
    """What the product gets instead of Python's own, and of these others."""
    instead: dict[int, Any] = {
        id(threading): simulated_threading(),
        id(time): simulated_time(clock),
        id(random): clock.rng,
        id(queue): SimpleNamespace(Queue=SimulatedQueue, Full=FullError),
        id(asyncio): SimpleNamespace(sleep=_sleep),
        id(datetime): simulated_datetime(clock),
        id(new_lock): partial(SimulatedLock, reentrant=True),
    } | {id(what): other for what, other in others}
    return [(module, name, instead[what]) for module, name, what in _uses(frozenset(instead), len(sys.modules))]


@lru_cache(maxsize=1)
def _uses(what: frozenset[int], _: int) -> list[tuple[ModuleType, str, int]]:
    """Where the product's modules, of so many that are imported, use the objects of these ids."""
    return [
        (module, name, id(value)) for module in _modules() for name, value in vars(module).items() if id(value) in what
    ]


@contextlib.contextmanager
def replaced(all_of_them: list[Replacement]) -> Iterator[None]:
    """With these replacements, in this order."""
    before = [(where, name, vars(where)[name]) for where, name, _ in all_of_them]
    for where, name, value in all_of_them:
        setattr(where, name, value)
    try:
        yield
    finally:
        for where, name, value in reversed(before):
            setattr(where, name, value)


@contextlib.contextmanager
def errors_told(tell: Any) -> Iterator[None]:
    """What the product logs as an error is told; all else that it logs is not even made."""
    handler = Unexpected(tell)
    loggers = [logging.getLogger(name) for name in ("kube_rendezvous", "kube_rendezvous_operator")]
    levels = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.ERROR)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, level, propagate in levels:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Nothing is logged, and nothing made of it: what the killed say on their way out reaches nobody."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)
