"""A monotonic clock that stands still until the test moves it, and a reconciler that lives by it."""

import time

import pytest

from unit.shell.fake_clock import Clock
from unit.shell.objects import raw_member, raw_rendezvous
from unit.shell.scripted_shell import Shell


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def shell(clock: Clock) -> Shell:
    return Shell()


@pytest.fixture
def standing(shell: Shell, clock: Clock) -> Shell:
    """The round of a and b stands, and a second has passed."""
    shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    shell.run()
    assert shell.status.ranks == ("a", "b")
    clock.now += 1.5
    shell.announced.clear()
    shell.serve(shell.raw, raw_member("a", 1), raw_member("b", 2))
    return shell
