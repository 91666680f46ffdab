"""Errors that are none: torch's launcher raises from its signal handlers, wherever the main thread is."""

import signal
from functools import partial
from types import CodeType, TracebackType
from typing import Any


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
    found = map(_code, map(signal.getsignal, signal.valid_signals()))
    return {code for code in found if code is not None}


def _code(handler: Any) -> CodeType | None:
    """Of a function, a method, a `functools.partial` of these, or an object that can be called."""
    while isinstance(handler, partial):
        handler = handler.func
    code = getattr(handler, "__code__", None)
    if code is None and callable(handler):
        code = getattr(type(handler).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None
