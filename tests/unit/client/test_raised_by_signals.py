"""Whatever can be a signal's handler is known as one; what else fails is not taken for a signal."""

import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from kube_rendezvous.raised_by_signals import came_with_a_signal
from unit.raising_signals import SignalError, raising_signal


def function(number: int, frame: object) -> None:
    raise SignalError(number)


def with_more(more: str, number: int, frame: object) -> None:
    raise SignalError(more)


class Launcher:
    """Each way to hear of a signal."""

    def method(self, number: int, frame: object) -> None:
        """A bound method."""
        raise SignalError(number)

    def __call__(self, number: int, frame: object) -> None:
        """The object itself."""
        raise SignalError(number)


@pytest.mark.parametrize(
    "handler",
    [function, Launcher().method, Launcher(), partial(with_more, "more"), partial(partial(Launcher().method))],
    ids=["function", "method", "object", "partial", "partials"],
)
def test_every_kind_of_handler_is_known(handler: Callable[..., Any]) -> None:
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(SignalError) as raised:
            signal.raise_signal(signal.SIGUSR1)
        assert came_with_a_signal(raised.value)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not came_with_a_signal(raised.value)  # it is no handler any more


def fail_while_it_is_dealt_with() -> None:
    try:
        signal.raise_signal(signal.SIGUSR1)
    except SignalError:
        raise OSError("no route")  # noqa: B904


def test_a_failure_while_a_signal_is_dealt_with_is_none_of_the_signal() -> None:
    with raising_signal(), pytest.raises(OSError, match="no route") as raised:
        fail_while_it_is_dealt_with()
    assert isinstance(raised.value.__context__, SignalError)
    with raising_signal():
        assert not came_with_a_signal(raised.value)
    with pytest.raises(ValueError, match="SIG_NONE") as no_such:
        signal.Handlers("SIG_NONE")  # `SIG_DFL` and `SIG_IGN` are of this class, and no functions
    assert not came_with_a_signal(no_such.value)
