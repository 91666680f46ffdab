"""What every test takes for granted."""

import contextlib
import os
import signal
from pathlib import Path

import hypothesis
import pytest

# Examples are counted, not timed: how long one takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Whoever starts the tests in the background (nohup, `&` without job control) starts them deaf to these, and so every
# process that they start: what is ignored stays ignored. Those that test Ctrl-C would wait for ever.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

# Go collects its garbage later: API servers, etcd and kubectl take a tenth less of the processors.
os.environ.setdefault("GOGC", "400")

_GROUP = Path("/proc/self/autogroup")
_GROUP_PRIORITY = "-5"


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests' processes, as one group to Linux' scheduler, a share for several.

    Nodes are threads of theirs. They are one session, which gets as much of a busy machine as one of the many control
    planes, operators and trainers, each in a session of its own. A node that is a thread must not look like one that
    hangs.
    """
    if os.geteuid() == 0 and os.nice(0) <= 0 and not hasattr(config, "workerinput"):
        with contextlib.suppress(OSError, IndexError):  # no such groups here, or one that does not let us
            before = _GROUP.read_text().split()[-1]
            _GROUP.write_text(_GROUP_PRIORITY)
            config.add_cleanup(lambda: _restore(before))


def _restore(priority: str) -> None:
    with contextlib.suppress(OSError):
        _GROUP.write_text(priority)
