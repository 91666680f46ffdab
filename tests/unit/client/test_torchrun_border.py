"""The border to torch: torch's classes outside, ours inside."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kube_rendezvous import api, tcp_store
from kube_rendezvous.membership.listening_socket import listen_for_the_store, port_of
from kube_rendezvous.membership.standing import Place
from kube_rendezvous.resources import BootstrapStore

torch_rendezvous = pytest.importorskip(
    "torch.distributed.elastic.rendezvous", reason="the border can be tested only where torch is installed"
)
torchrun = pytest.importorskip("kube_rendezvous.torchrun")


class Inner:
    """Stands for our handler: does what it is told, whatever is asked."""

    use_agent_store = True

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    def get_run_id(self) -> str:
        return "run"

    def __getattr__(self, name: str) -> Callable[[], Any]:
        return self._answer

    def _answer(self) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


KINDS = [
    "RendezvousClosedError",
    "RendezvousTimeoutError",
    "RendezvousConnectionError",
    "RendezvousStateError",
    "RendezvousGracefulExitError",
    "RendezvousError",
]


@pytest.mark.parametrize("call", ["next_rendezvous", "is_closed", "set_closed", "shutdown"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_error_of_ours_becomes_torchs_error_of_the_same_name_and_text(kind: str, call: str) -> None:
    handler = torchrun.TorchrunHandler(Inner(getattr(api, kind)("why")))
    with pytest.raises(getattr(torch_rendezvous, kind)) as raised:
        getattr(handler, call)()
    assert type(raised.value) is getattr(torch_rendezvous, kind)
    assert str(raised.value) == "why"


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ZeroDivisionError):
        torchrun.TorchrunHandler(Inner(ZeroDivisionError())).shutdown()


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("get_backend", "kubernetes"),
        ("get_run_id", "run"),
        ("num_nodes_waiting", 3),
        ("is_closed", True),
        ("shutdown", False),
    ],
)
def test_answers_are_passed_on(call: str, value: Any) -> None:
    assert getattr(torchrun.TorchrunHandler(Inner(value)), call)() == value


def test_a_round_is_told_in_torchs_classes() -> None:
    store: Any = object()
    info = api.RendezvousInfo(store, 1, 2, api.RendezvousStoreInfo("10.0.0.1", 29500))
    told = torchrun.TorchrunHandler(Inner(info)).next_rendezvous()
    assert isinstance(told, torch_rendezvous.RendezvousInfo)
    assert (told.store, told.rank, told.world_size) == (store, 1, 2)
    assert isinstance(told.bootstrap_store_info, torch_rendezvous.RendezvousStoreInfo)
    assert (told.bootstrap_store_info.master_addr, told.bootstrap_store_info.master_port) == ("10.0.0.1", 29500)


def test_a_handler_is_torchs_handler() -> None:
    assert isinstance(torchrun.TorchrunHandler(Inner(None)), torch_rendezvous.RendezvousHandler)


def test_bad_settings_are_torchs_errors_too() -> None:
    params = torch_rendezvous.RendezvousParameters(
        "kubernetes", "", "run", 1, 1, kubeconfig="/not/there", timeout="900", is_host="true"
    )
    with pytest.raises(torch_rendezvous.RendezvousConnectionError, match="no kubeconfig at /not/there"):
        torchrun.create_torch_handler(params)
    with pytest.raises(ValueError, match="needs the name of a Rendezvous object: --rdzv-id"):
        torchrun.create_torch_handler(torch_rendezvous.RendezvousParameters("kubernetes", "", "none", 1, 1))


def place(rank: int, port: int, address: str, number: int = 1) -> Place:
    return Place(number, rank, 2, BootstrapStore("a", address, port), "uid")


@pytest.fixture(params=["127.0.0.1", "::1"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, int, str]]:
    """A listening socket, its port and an address that may be behind the name that was announced."""
    listening = listen_for_the_store()
    if ":" in request.param and listening.family != socket.AF_INET6:
        pytest.skip("this machine has no IPv6")
    yield listening, port_of(listening), request.param
    listening.close()


def test_rank_0_serves_on_its_listening_socket_and_the_others_reach_it(
    served: tuple[socket.socket, int, str],
) -> None:
    listening, port, address = served
    ours = tcp_store.open_tcp_store(place(0, port, address), listening, timeout=5.0, given_up=lambda: False)
    theirs = tcp_store.open_tcp_store(place(1, port, address), None, timeout=5.0, given_up=lambda: False)
    ours.set("key", "value")
    assert theirs.get("key") == b"value"
    assert isinstance(ours, api.Store)
    assert theirs.timeout.total_seconds() == 5
    other = tcp_store.open_tcp_store(place(1, port, address, number=2), None, timeout=5.0, given_up=lambda: False)
    assert not other.check(["key"]), "the keys of a round are its own"


@pytest.fixture
def unserved_port() -> int:
    """One at which nobody listens."""
    with listen_for_the_store() as listening:
        return port_of(listening)


def test_a_store_that_nobody_serves_is_given_up_when_its_round_is(unserved_port: int) -> None:
    asked: list[None] = []

    def given_up() -> bool:
        asked.append(None)
        return len(asked) > 3

    where = place(1, unserved_port, "127.0.0.1")
    assert tcp_store.open_tcp_store(where, None, timeout=5.0, given_up=given_up) is None
    assert len(asked) == 4


def test_torch_is_not_asked_for_a_store_before_somebody_listens(
    unserved_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client cannot be interrupted, and comes back after three times the limit it was given."""
    asked_of_torch: list[object] = []
    monkeypatch.setattr(tcp_store.dist, "TCPStore", lambda **what: asked_of_torch.append(what))
    over = iter([False] * 3 + [True])
    where = place(1, unserved_port, "127.0.0.1")
    assert tcp_store.open_tcp_store(where, None, timeout=5.0, given_up=lambda: next(over)) is None
    assert asked_of_torch == []


def test_a_store_whose_host_has_no_address_yet_is_waited_for() -> None:
    over = iter([False] * 3 + [True])
    where = place(1, 1, "nobody.invalid")
    assert tcp_store.open_tcp_store(where, None, timeout=5.0, given_up=lambda: next(over)) is None
