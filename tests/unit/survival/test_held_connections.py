"""A connection that is held takes what its peer sends until the peer ends it, or its time is over."""

import errno
import os
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.survival import held_connections
from kube_rendezvous.survival.held_connections import HeldConnections

SECONDS = 30.0
LONG = 3600.0
MORE_THAN_A_CONNECTION_HOLDS = 64 << 20


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Ours and the peer's."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        theirs, _ = server.accept()
        theirs.settimeout(SECONDS)
        with theirs:
            yield ours, theirs


def held(ours: socket.socket, seconds: float = LONG) -> HeldConnections:
    """As gloo's connections are: held, then not read any more, then closed."""
    connections = HeldConnections(seconds)
    connections.hold(ours)
    ours.shutdown(socket.SHUT_RD)
    ours.close()
    return connections


def test_the_peer_sends_whatever_it_has_to_send(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    connections = held(ours)
    for _ in range(3):
        theirs.sendall(bytes(MORE_THAN_A_CONNECTION_HOLDS))
    assert len(connections) == 1


def test_what_was_under_way_before_ends_too(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    sending = threading.Thread(target=theirs.sendall, args=(bytes(MORE_THAN_A_CONNECTION_HOLDS),), daemon=True)
    sending.start()
    ours.recv(1)
    connections = held(ours)
    sending.join(SECONDS)
    assert not sending.is_alive()
    assert len(connections) == 1


@pytest.mark.parametrize("how", ["closes", "breaks off"])
def test_it_is_let_go_when_the_peer_ends_it(ends: tuple[socket.socket, socket.socket], how: str) -> None:
    ours, theirs = ends
    connections = held(ours)
    theirs.sendall(b"the last words")
    if how == "breaks off":
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + bytes(4))
    theirs.close()
    eventually(lambda: len(connections) == 0, "it is let go", SECONDS)


def test_the_peer_sees_its_end_when_its_time_is_over(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    connections = held(ours, seconds=0.1)
    assert theirs.recv(1) == b""
    assert len(connections) == 0


def test_one_that_the_peer_has_ended_is_not_held(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.close()
    assert ours.recv(1) == b""
    connections = HeldConnections(LONG)
    connections.hold(ours)
    assert (len(connections), connections.holds(ours)) == (0, False)


def test_nothing_runs_where_none_is_held(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    others = set(threading.enumerate())
    connections = held(ours)
    (thread,) = set(threading.enumerate()) - others
    theirs.close()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert len(connections) == 0


def test_nothing_is_taken_from_who_reads_it_by_another_descriptor(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    sent = bytes(range(256)) * 4096
    sending = threading.Thread(target=theirs.sendall, args=(sent * 16,), daemon=True)
    sending.start()
    connections = HeldConnections(LONG)
    received = bytearray()
    ours.settimeout(SECONDS)
    while len(received) < 8 * len(sent):
        connections.hold(ours)
        received += ours.recv(1 << 16)
    assert received == (sent * 16)[: len(received)]
    ours.shutdown(socket.SHUT_RD)
    ours.close()
    sending.join(SECONDS)
    assert not sending.is_alive()


def test_who_holds_a_connection_changes_nothing_of_how_others_write_to_it(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = ends
    ours.setblocking(False)
    connections = HeldConnections(LONG)
    connections.hold(ours)
    assert not os.get_blocking(ours.fileno())
    assert connections.holds(ours)


def test_the_peer_sees_its_end_also_where_a_forked_process_has_it_too(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    child = subprocess.Popen(["sleep", "60"], pass_fds=[ours.fileno()])
    try:
        connections = held(ours, seconds=0.1)
        assert theirs.recv(1) == b""
        eventually(lambda: len(connections) == 0, "it is let go", SECONDS)
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as more:
            peer, _ = server.accept()
            with peer:
                connections.hold(more)
                more.close()
                eventually(lambda: len(connections) == 0, "the next one is let go too", SECONDS)
    finally:
        child.kill()
        child.wait()


def test_without_a_descriptor_for_it_nothing_is_held_and_the_next_one_is(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    connections = HeldConnections(0.1)
    with monkeypatch.context() as patched:
        patched.setattr(select, "epoll", Mock(side_effect=OSError(errno.EMFILE, "too many")))
        with pytest.raises(OSError, match="too many"):
            connections.hold(ours)
    assert len(connections) == 0
    connections.hold(ours)
    ours.close()
    theirs.settimeout(SECONDS)
    assert theirs.recv(1) == b""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_the_draining_thread_fails_the_next_one_drains_all(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    others = set(threading.enumerate())
    connections = held(ours)
    (thread,) = set(threading.enumerate()) - others
    theirs.sendall(bytes(MORE_THAN_A_CONNECTION_HOLDS))  # it is watched
    with monkeypatch.context() as patched:
        patched.setattr(held_connections, "_watch_those_that_are_ours_alone", Mock(side_effect=RuntimeError("a bug")))
        thread.join(SECONDS)
        assert not thread.is_alive()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as another:
        peer, _ = server.accept()
        with peer:
            connections.hold(another)
            theirs.sendall(bytes(MORE_THAN_A_CONNECTION_HOLDS))
    theirs.close()
    another.close()
    eventually(lambda: len(connections) == 0, "both are let go", SECONDS)


def test_one_connection_is_held_once(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    connections = HeldConnections(LONG)
    for _ in range(3):
        connections.hold(ours)
    assert connections.holds(ours)
    assert not connections.holds(theirs)
    assert len(connections) == 1


def test_after_the_last_others_can_be_held(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    connections = held(ours)
    theirs.close()
    eventually(lambda: len(connections) == 0, "it is let go", SECONDS)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as another:
        peer, _ = server.accept()
        with peer:
            connections.hold(another)
            another.shutdown(socket.SHUT_RD)
            another.close()
            peer.sendall(bytes(MORE_THAN_A_CONNECTION_HOLDS))
            assert len(connections) == 1
