"""A launcher's signal handlers raise at any line of the main thread, as torch's do: no Member is left behind, and who
goes on after that can."""

import gc
import linecache
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import kube_rendezvous
from kube_rendezvous.api import RendezvousParameters
from kube_rendezvous.handler import KubernetesRendezvousHandler
from kube_rendezvous.membership import member_writer
from kube_rendezvous.settings import read_settings
from kube_rendezvous.store_choice import open_address_only
from unit.client.one_node_server import OneNodeServer
from unit.raising_signals import SignalError

PRODUCT = str(Path(kube_rendezvous.__file__).parent)


Call = Callable[[KubernetesRendezvousHandler], Any]


def join(handler: KubernetesRendezvousHandler) -> Any:
    return handler.next_rendezvous()


def shutdown(handler: KubernetesRendezvousHandler) -> Any:
    return handler.shutdown()


def leave(handler: KubernetesRendezvousHandler) -> Any:
    return handler.leave()


def aside(handler: KubernetesRendezvousHandler) -> Any:
    return handler.step_aside()


def is_closed(handler: KubernetesRendezvousHandler) -> Any:
    return handler.is_closed()


def close(handler: KubernetesRendezvousHandler) -> Any:
    return handler.set_closed()


def ends_a_block(frame: FrameType, entered: set[tuple[FrameType, int]]) -> bool:
    """Whether the line is a `with` that ends: Python lets no signal in between a block and the end of its lock, but
    tells of the line there."""
    here = (frame, frame.f_lineno)
    if not linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
        return False
    again = here in entered
    entered.add(here)
    return again


@contextmanager
def interrupted(at: int) -> Iterator[list[str]]:
    """The signal comes before the line of this number that is run within the block; yields the lines."""
    lines: list[str] = []
    entered: set[tuple[FrameType, int]] = set()

    def line(frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and not ends_a_block(frame, entered):
            lines.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
            if len(lines) == at:
                raise SignalError
        return line

    def called(frame: FrameType, _event: str, _arg: object) -> Any:
        return line if frame.f_code.co_filename.startswith(PRODUCT) else None

    before = sys.gettrace()
    gc.disable()  # what another handler's goodbye runs is none of this one's lines
    sys.settrace(called)
    try:
        yield lines
    except SignalError:
        pass
    finally:
        sys.settrace(before)
        gc.enable()


def new_handler(connection: OneNodeServer) -> KubernetesRendezvousHandler:
    parameters = RendezvousParameters(
        "kubernetes", "ns", "run", 1, 1, join_timeout=20, close_timeout=5, last_call_timeout=0, watch_neighbours="true"
    )
    return KubernetesRendezvousHandler(read_settings(parameters), connection, open_address_only)  # type: ignore[arg-type]


def process_ends(handler: KubernetesRendezvousHandler) -> None:
    if handler._farewell is not None and handler._farewell._finalizer.alive:  # or else it was cancelled by `shutdown`
        handler._farewell._once.leave()


def story(value: object) -> str:
    """For the test's name."""
    if isinstance(value, list):
        return "-".join(["after", *(call.__name__ for call in value)]) if value else "at first"
    if isinstance(value, bool):
        return "and goes on" if value else "and the process ends"
    return value.__name__ if callable(value) else str(value)


GOING_ON: list[tuple[list[Call], Call]] = [
    ([], join),
    ([join], join),
    ([join], aside),
    ([join, aside], join),
    ([], is_closed),
]
ENDING: list[tuple[list[Call], Call]] = [([join], shutdown), ([join], leave), ([], close)]


@pytest.mark.parametrize(
    ("before", "call", "goes_on"),
    [(*calls, False) for calls in GOING_ON + ENDING] + [(*calls, True) for calls in GOING_ON],
    ids=story,
)
def test_a_signal_at_any_line_leaves_no_member_behind(
    monkeypatch: pytest.MonkeyPatch, before: list[Call], call: Call, goes_on: bool
) -> None:
    monkeypatch.setattr(member_writer, "UNTIL_CARRIED_OUT", (0.0, 0.001))
    at, over, broken = 0, False, []
    while not over:
        at += 1
        monkeypatch.setenv("POD_UID", str(uuid.uuid4()))
        connection = OneNodeServer()
        handler = new_handler(connection)
        for one in before:
            one(handler)
        with interrupted(at) as lines:
            call(handler)
        over = len(lines) < at
        if goes_on and not over:
            handler.next_rendezvous()
            if len(connection.left_behind) != 1:
                broken.append(f"{lines[-1]}: {len(connection.left_behind)} Members after it went on")
            handler.shutdown()
        process_ends(handler)
        if connection.left_behind:
            broken.append(f"{lines[-1]}: {connection.left_behind} of {connection.made}")
    assert not broken
    assert at > 10
    assert not [one for one in threading.enumerate() if one.name.startswith("rendezvous-watch")]


def test_a_member_that_is_made_only_after_its_first_withdrawal_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes while the answer to a POST is on its way; what is sent next overtakes that POST."""
    connection = OneNodeServer()
    handler = new_handler(connection)
    late: list[Any] = []
    answer = connection.request

    def request(method: str, path: str, **options: Any) -> dict[str, Any]:
        if method == "POST" and not late:
            late.append(options)
            raise SignalError
        try:
            return answer(method, path, **options)
        finally:
            if method == "PATCH" and not connection.made:
                answer("POST", path, **late[0])

    monkeypatch.setattr(connection, "request", request)
    with pytest.raises(SignalError):
        handler.next_rendezvous()
    assert connection.left == connection.made != []
    handler.shutdown()
