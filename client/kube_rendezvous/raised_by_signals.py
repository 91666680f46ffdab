"""Errors that are none: torch's launcher raises from its signal handlers, wherever the main thread is."""

import signal
from types import CodeType, TracebackType


def came_with_a_signal(error: BaseException) -> bool:
    """Whether this was raised by a handler of a signal, so that who takes every error for one of his own must pass it
    on: nobody would hear of the signal again."""
    handlers = _handlers()
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _handlers() -> set[CodeType]:
    found = map(signal.getsignal, signal.valid_signals())
    return {code for handler in found if (code := getattr(handler, "__code__", None)) is not None}
