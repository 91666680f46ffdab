"""Which bootstrap store a handler uses, and the one that is only an address."""

import importlib.util
import socket

import pytest

from kube_rendezvous.api import RendezvousStateError
from kube_rendezvous.membership.listening_socket import listen_for_the_store, port_of
from kube_rendezvous.membership.standing import Place
from kube_rendezvous.resources import BootstrapStore
from kube_rendezvous.store_choice import default_store_opener, open_address_only


def place(port: int) -> Place:
    return Place(1, 0, 1, BootstrapStore("a", "127.0.0.1", port), "uid")


def test_without_torch_the_store_is_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert default_store_opener() is open_address_only


def test_with_torch_the_store_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch's store can be chosen only where torch is installed")
    from kube_rendezvous.tcp_store import open_tcp_store

    assert default_store_opener() is open_tcp_store


def test_an_address_alone_frees_the_port_so_that_rank_0_can_bind_it() -> None:
    listening = listen_for_the_store()
    port = port_of(listening)
    open_address_only(place(port), listening, timeout=1.0, given_up=lambda: False)
    with socket.socket() as mine:
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mine.bind(("127.0.0.1", port))


def test_an_address_alone_holds_no_keys_and_says_so() -> None:
    store = open_address_only(place(1), None, timeout=1.0, given_up=lambda: False)
    assert store is not None
    with pytest.raises(RendezvousStateError, match=r"Store\.get needs torch, which is not installed here"):
        store.get("key")
