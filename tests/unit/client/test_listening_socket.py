"""The socket on which a node would serve the bootstrap store."""

import socket

import pytest

from kube_rendezvous.membership.listening_socket import listen_for, port_of


def connects(host: str, listening: socket.socket) -> bool:
    """Whether a client gets through although nobody has accepted anybody yet."""
    with socket.create_connection((host, port_of(listening)), timeout=5):
        return True


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.3.7", "node-a.example"])
def test_an_ipv4_address_or_a_name_is_served_over_ipv4_and_early_clients_queue(address: str) -> None:
    with listen_for(address) as listening:
        assert listening.family == socket.AF_INET
        assert connects("127.0.0.1", listening)


@pytest.mark.parametrize("address", ["::1", "fd00::7", "fe80::1%eth0"])
def test_an_ipv6_address_is_served_over_ipv6_and_early_clients_queue(address: str) -> None:
    try:
        listening = listen_for(address)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening:
        assert listening.family == socket.AF_INET6
        assert connects("::1", listening)


def test_each_socket_has_a_port_of_its_own() -> None:
    with listen_for("127.0.0.1") as one, listen_for("127.0.0.1") as other:
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
        listen_for("127.0.0.1")
    assert [one.fileno() for one in made] == [-1]
