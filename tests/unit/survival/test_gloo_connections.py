"""A thread that waits in a gloo collective with a silent peer is freed by cutting this process's connections."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.survival.gloo_connections import GlooConnections
from kube_rendezvous.survival.own_connections import cut_those_between
from unit.survival.gloo_peer import SECONDS, Peer, join, summed

pytest.importorskip("torch", reason="gloo is torch's")

_log = logging.getLogger(__name__)

AT_ONCE = 20.0
"""Generous: the collective's own limit is 120 s."""


@pytest.fixture(params=[2, 3])
def peers(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Peer]]:
    """The others of a group in which this process is rank 0."""
    import torch.distributed as dist

    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    peers = [Peer(tmp_path / "store", rank, request.param) for rank in range(1, request.param)]
    join(tmp_path / "store", 0, request.param)
    assert [peer.says() for peer in peers] == ["ready"] * len(peers)
    yield peers
    for peer in peers:
        peer.end()
    dist.destroy_process_group()


class Collective(threading.Thread):
    """An all_reduce in a thread of its own."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.result = ""
        self.start()

    def run(self) -> None:
        self.result = summed()

    def waits(self) -> bool:
        """Whether the thread sleeps in the kernel, and goes on to do so."""
        state = Path(f"/proc/self/task/{self.native_id}/stat")
        return all(state.read_text().rpartition(")")[2].split()[0] == "S" for _ in range(20))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def all_sum(peers: list[Peer]) -> list[str]:
    for peer in peers:
        peer.sum()
    mine = Collective()
    mine.join(SECONDS)
    return [mine.result, *[peer.says() for peer in peers]]


def test_a_thread_that_waits_with_silent_peers_is_freed_at_once(peers: list[Peer]) -> None:
    assert all_sum(peers) == [str(len(peers) + 1)] * (len(peers) + 1)
    for peer in peers:
        os.kill(peer.pid, signal.SIGSTOP)
    waiting = Collective()
    eventually(waiting.waits, "the thread waits in the collective", SECONDS)
    began = time.monotonic()
    found = GlooConnections().end_reading()
    waiting.join(AT_ONCE)
    took = time.monotonic() - began
    _log.info("%d connections cut, the waiting thread freed in %.1f ms", found, took * 1000)
    assert waiting.result.startswith("error")
    assert found >= len(peers)


def test_whatever_is_tried_later_fails_at_once(peers: list[Peer]) -> None:
    all_sum(peers)
    GlooConnections().end_reading()
    later = Collective()
    later.join(AT_ONCE)
    assert later.result.startswith("error")


def test_peers_that_wait_for_this_process_know_at_once_that_it_has_left(peers: list[Peer]) -> None:
    all_sum(peers)
    for peer in peers:
        peer.sum()
    began = time.monotonic()
    GlooConnections().end()
    answers = [peer.says() for peer in peers]
    assert all(answer.startswith("error") for answer in answers), answers
    assert time.monotonic() - began < AT_ONCE * len(peers)


def test_other_sockets_of_the_process_are_untouched_and_no_descriptor_is_left(peers: list[Peer]) -> None:
    connections = GlooConnections()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as mine:
        theirs = server.accept()[0]
        one, other = socket.socketpair()
        with theirs, one, other:
            connections.end_reading()
            before = descriptors()
            for _ in range(200):
                connections.end_reading()
            # gloo closes what has ended; whoever drains what is held opens one to look, now and then.
            eventually(lambda: descriptors() <= before, "no descriptor is left", SECONDS)
            connections.end()
            for sender, receiver in ((mine, theirs), (theirs, mine), (one, other), (other, one)):
                sender.sendall(b"still here")
                assert receiver.recv(100) == b"still here"
        with socket.create_connection(server.getsockname()):  # the server listens still
            server.accept()[0].close()


def test_a_process_without_gloo_has_nothing_to_cut() -> None:
    assert GlooConnections().end_reading() == 0


def test_where_no_loop_is_found_the_sockets_between_members_are_cut_and_no_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as member, socket.create_server(("127.0.0.1", 0)) as stranger:
        address = member.getsockname()
        with socket.create_connection(address) as begins, socket.create_connection(stranger.getsockname()) as foreign:
            ends, _ = member.accept()
            other, _ = stranger.accept()
            with ends, other:
                assert cut_those_between({address}, lambda one: one.shutdown(socket.SHUT_RD)) == 2
                for cut in (begins, ends):
                    cut.settimeout(SECONDS)
                    assert cut.recv(1) == b""
                other.send(b"x")
                assert foreign.recv(1) == b"x"
