"""The socket on which a node would serve the bootstrap store."""

import socket
from typing import Any

import pytest

from kube_rendezvous.every_address import family_of, listen_on_every_address, loopback_of, why_out_of_reach
from kube_rendezvous.membership.listening_socket import listen_for_the_store, port_of


def connects(host: str, listening: socket.socket) -> bool:
    """Whether a client gets through although nobody has accepted anybody yet."""
    with socket.create_connection((host, port_of(listening)), timeout=5):
        return True


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_whichever_family_is_behind_our_name_clients_get_through_and_queue_early(address: str) -> None:
    with listen_for_the_store() as listening:
        if ":" in address and listening.family != socket.AF_INET6:
            pytest.skip("this machine has no IPv6")
        assert connects(address, listening)
        assert connects(loopback_of(listening), listening)


@pytest.mark.parametrize("missing", ["socket", "bind"])
def test_where_there_is_no_ipv6_it_listens_over_ipv4(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoIpv6(socket.socket):
        def __init__(self, family: int = -1, *arguments: int, **keywords: int) -> None:
            if missing == "socket" and family == socket.AF_INET6:
                raise OSError("Address family not supported by protocol")
            super().__init__(family, *arguments, **keywords)

        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError("Cannot assign requested address")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", NoIpv6)
    with listen_for_the_store() as listening:
        assert listening.family == socket.AF_INET
        assert loopback_of(listening) == "127.0.0.1"
        assert connects("127.0.0.1", listening)


def test_a_port_that_is_taken_is_an_error() -> None:
    with listen_for_the_store() as listening, pytest.raises(OSError, match="in use"):
        listen_on_every_address(1, port_of(listening))


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_the_family_of_a_host_is_looked_up(host: str, family: int) -> None:
    assert family_of(host) == family


def test_a_name_that_leads_to_ipv6_alone_is_listened_on_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::7", 0, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert family_of("pod-0.example") == socket.AF_INET6
    assert why_out_of_reach("pod-0.example", 4000).startswith(
        "pod-0.example, which is [fd00::7]:4000: do NetworkPolicy"
    )


def test_why_a_host_is_out_of_reach_tells_a_name_that_nobody_knows_from_a_firewall() -> None:
    assert why_out_of_reach("10.0.0.7", 4000).startswith("10.0.0.7:4000: do NetworkPolicy and firewalls let")
    assert "nobody here knows the name no.such.host.invalid" in why_out_of_reach("no.such.host.invalid", 4000)


def test_each_socket_has_a_port_of_its_own() -> None:
    with listen_for_the_store() as one, listen_for_the_store() as other:
        assert port_of(one) != port_of(other)
        assert port_of(one) > 0


def test_a_socket_that_cannot_listen_is_not_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []

    class NoPort(socket.socket):
        def bind(self, _: object) -> None:
            made.append(self)
            raise OSError("no port left")

    monkeypatch.setattr(socket, "socket", NoPort)
    with pytest.raises(OSError, match="no port left"):
        listen_for_the_store()
    assert [one.fileno() for one in made] == [-1, -1]
