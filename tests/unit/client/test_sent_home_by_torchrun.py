"""A node that was sent home ends torchrun with status 0, and nothing else is kept quiet."""

import contextlib
from typing import Any

import pytest

from kube_rendezvous import api

torch_rendezvous = pytest.importorskip(
    "torch.distributed.elastic.rendezvous", reason="the border can be tested only where torch is installed"
)
torchrun = pytest.importorskip("kube_rendezvous.torchrun")


class Inner:
    """Stands for our handler, which is not needed or is closed."""

    def __init__(self, outcome: Exception, farewell: Exception | None = None) -> None:
        self._outcome = outcome
        self._farewell = farewell
        self.shut_down = 0

    def get_run_id(self) -> str:
        return "my-run"

    def next_rendezvous(self) -> api.RendezvousInfo:
        raise self._outcome

    def shutdown(self) -> bool:
        self.shut_down += 1
        if self._farewell is not None:
            raise self._farewell
        return True


def launch(handler: Any, stumble: BaseException | None = None) -> Any:
    """What torch 2.15's `launch_agent` makes of an agent whose `run` ended with a rendezvous error."""
    try:
        result: Any = None
        with contextlib.suppress(torch_rendezvous.RendezvousGracefulExitError):
            handler.next_rendezvous()
        if stumble is not None:
            raise stumble
        return result.is_failed()
    finally:
        handler.shutdown()


def sent_home(farewell: Exception | None = None) -> Inner:
    return Inner(api.RendezvousGracefulExitError("not needed"), farewell)


def test_the_launcher_that_stumbles_over_a_node_sent_home_ends_with_status_0() -> None:
    inner = sent_home()
    with pytest.raises(SystemExit) as end:
        launch(torchrun.TorchrunHandler(inner))
    assert (end.value.code, inner.shut_down) == (0, 1)


def test_why_it_was_sent_home_is_the_cause_of_the_end_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        launch(torchrun.TorchrunHandler(sent_home()))
    assert isinstance(end.value.__cause__, torch_rendezvous.RendezvousGracefulExitError)
    assert str(end.value.__cause__) == "not needed"
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "not needed. This node ends with status 0")
    ]


@pytest.mark.parametrize("farewell", [api.RendezvousConnectionError("no API server"), RuntimeError("x")])
def test_a_farewell_that_fails_does_not_change_the_status(
    farewell: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit) as end:
        launch(torchrun.TorchrunHandler(sent_home(farewell)))
    assert end.value.code == 0
    assert str(farewell) in caplog.text


def test_a_farewell_that_fails_where_no_launcher_stumbles_is_an_error() -> None:
    handler = torchrun.TorchrunHandler(sent_home(RuntimeError("x")))
    with pytest.raises(torch_rendezvous.RendezvousGracefulExitError):
        handler.next_rendezvous()
    with pytest.raises(RuntimeError, match="x"):
        handler.shutdown()


@pytest.mark.parametrize("other", [RuntimeError("x"), AttributeError("x"), KeyboardInterrupt()])
def test_another_error_goes_its_own_way(other: BaseException) -> None:
    with pytest.raises(type(other)) as raised:
        launch(torchrun.TorchrunHandler(sent_home()), other)
    assert raised.value is other


def test_a_node_that_was_not_sent_home_fails_as_ever() -> None:
    with pytest.raises(torch_rendezvous.RendezvousClosedError):
        launch(torchrun.TorchrunHandler(Inner(api.RendezvousClosedError("closed"))))


def test_where_nothing_fails_shutdown_returns() -> None:
    handler = torchrun.TorchrunHandler(sent_home())
    with pytest.raises(torch_rendezvous.RendezvousGracefulExitError, match="not needed"):
        handler.next_rendezvous()
    assert handler.shutdown() is True
