"""A handler that ends without `shutdown` leaves, closes nothing, and blocks nobody meanwhile."""

import os
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from kube_rendezvous.membership.farewell import Farewell
from kube_rendezvous.membership.standing import Standpoint

LIMIT_SECONDS = 30.0


class Holder:
    """Stands for the handler."""


class Session:
    """Stands for a session whose requests need a lock, as a connection pool's do."""

    def __init__(self, me: Standpoint | None = None, failure: Exception | None = None) -> None:
        self.outlook = SimpleNamespace(me=me or Standpoint("trainer-0", "uid"))
        self.lock = threading.Lock()
        self.said: list[Any] = []
        self.stopped = threading.Event()
        self._failure = failure

    def say_goodbye(self, *, close_reason: str | None, leaving: bool, deadline: float) -> None:
        assert self.lock.acquire(timeout=LIMIT_SECONDS), "who drops a handler must not wait for itself"
        self.lock.release()
        self.said.append((close_reason, leaving))
        if self._failure is not None:
            raise self._failure

    def withdraw(self, *, tried: bool, present: bool) -> None:
        assert (tried, present) == (True, True)

    def stop(self) -> None:
        self.stopped.set()


def test_who_drops_a_handler_within_a_lock_that_its_goodbye_needs_does_not_wait_for_it() -> None:
    session, holder = Session(), Holder()
    farewell: Any = Farewell(holder, session)  # type: ignore[arg-type]
    with session.lock:
        del holder
        assert session.said == []
    assert session.stopped.wait(LIMIT_SECONDS)
    assert session.said == [(None, True)]
    del farewell


COLLECTED = """
import gc, threading
from kube_rendezvous.membership.farewell import Farewell
from unit.client.test_farewell import LIMIT_SECONDS, Holder, Session

sessions = []
for objects in range(1, 200):  # until the next collection: that one of them comes at each point of a thread's start
    gc.set_threshold(0)
    gc.collect()
    holder = Holder()
    holder.itself = holder
    sessions.append(Session())
    holder.farewell = Farewell(holder, sessions[-1])
    gc.set_threshold(gc.get_count()[0] + objects)
    del holder
    threading.Thread(target=int).start()
gc.collect()
assert all(session.stopped.wait(LIMIT_SECONDS) for session in sessions)
"""


def test_a_handler_may_be_collected_at_any_point_of_the_start_of_a_thread() -> None:
    assert run(COLLECTED) == ""


@pytest.mark.parametrize("me", [Standpoint(), Standpoint("trainer-0", "uid", expelled=True)])
def test_who_is_no_member_says_nothing_and_stops(me: Standpoint) -> None:
    session, holder = Session(me), Holder()
    Farewell(holder, session)  # type: ignore[arg-type]
    del holder
    assert session.stopped.wait(LIMIT_SECONDS)
    assert session.said == []


def test_it_stops_also_when_the_goodbye_cannot_be_said() -> None:
    session, holder = Session(failure=ApiUnavailableError("PATCH x", 0, "", "gone")), Holder()
    Farewell(holder, session)  # type: ignore[arg-type]
    del holder
    assert session.stopped.wait(LIMIT_SECONDS)


def test_after_shutdown_nothing_is_said() -> None:
    session, holder = Session(), Holder()
    Farewell(holder, session).cancel()  # type: ignore[arg-type]
    del holder
    assert not session.stopped.is_set()


AT_EXIT = """
import os, sys
from kube_rendezvous.membership.farewell import Farewell
from unit.client.test_farewell import Holder, Session

class Told(Session):
    def say_goodbye(self, **what):
        os.write(1, b"said\\n")

holder = Holder()
farewell = Farewell(holder, Told())
if sys.argv[1] == "drop":
    del holder
elif sys.argv[1] == "fork" and os.fork() == 0:
    sys.exit()
elif sys.argv[1] == "fork":
    os.wait()
"""


@pytest.mark.parametrize("how", ["hold", "drop", "fork"])
def test_a_process_that_ends_says_it_once_and_a_forked_child_does_not(how: str) -> None:
    assert run(AT_EXIT, how) == "said\n"


def run(script: str, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
