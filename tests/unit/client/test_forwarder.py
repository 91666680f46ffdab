"""Forwarding over real sockets of loopback. What has to happen is waited for, by reading until it does."""

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.keeping.forwarder import Forwarder

SECONDS = 20.0
A_WHILE = 0.3  # in which nothing may come

Start = Callable[..., Forwarder]
Opened = tuple[socket.socket, socket.socket]


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SECONDS)
        yield listening


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Forwarder] = []

    def start(host: str, port: int, **how: object) -> Forwarder:
        started.append(Forwarder(host, port, **{"shield": True, **how}))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        one.close()


def connect(forwarder: Forwarder) -> socket.socket:
    return socket.create_connection(("127.0.0.1", forwarder.port), SECONDS)


def accept(target: socket.socket) -> socket.socket:
    far, _ = target.accept()
    far.settimeout(SECONDS)
    return far


def receive(one: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (more := one.recv(count - len(got))):
        got += more
    return got


def is_silent(one: socket.socket) -> bool:
    one.settimeout(A_WHILE)
    try:
        one.recv(1)
    except TimeoutError:
        return True
    finally:
        one.settimeout(SECONDS)
    return False


def test_bytes_go_both_ways(start: Start, target: socket.socket) -> None:
    with connect(start("127.0.0.1", target.getsockname()[1])) as near, accept(target) as far:
        near.sendall(b"there")
        assert receive(far, 5) == b"there"
        far.sendall(b"back")
        assert receive(near, 4) == b"back"


def test_to_an_ipv6_target_and_to_a_name(start: Start, target: socket.socket) -> None:
    with connect(start("localhost", target.getsockname()[1])) as near, accept(target) as far:
        near.sendall(b"name")
        assert receive(far, 4) == b"name"
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        listening.settimeout(SECONDS)
        with connect(start("::1", listening.getsockname()[1])) as near, accept(listening) as far:
            near.sendall(b"six")
            assert receive(far, 3) == b"six"


def test_it_takes_the_listening_socket_that_it_is_given(start: Start, target: socket.socket) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    early = socket.create_connection(("127.0.0.1", port), SECONDS)  # before anybody forwards
    forwarder = start("127.0.0.1", target.getsockname()[1], listening=listening, shield=False)
    assert (forwarder.port, forwarder.address) == (port, f"127.0.0.1:{port}")
    with early, accept(target) as far:
        far.sendall(b"x")
        assert receive(early, 1) == b"x"


def test_many_bytes_arrive_whole_though_the_other_side_reads_late(start: Start, target: socket.socket) -> None:
    sent = os.urandom(16 * 1024 * 1024)
    with connect(start("127.0.0.1", target.getsockname()[1])) as near, accept(target) as far:
        writing = threading.Thread(target=near.sendall, args=(sent,))
        writing.start()
        writing.join(A_WHILE)
        assert writing.is_alive()  # held back: nobody has read yet, and nothing keeps it all
        assert receive(far, len(sent)) == sent
        writing.join()


def test_behind_a_shield_the_near_side_stays_open_and_silent(start: Start, target: socket.socket) -> None:
    forwarder = start("127.0.0.1", target.getsockname()[1])
    with connect(forwarder) as near:
        with accept(target) as far:
            far.sendall(b"last words")
        assert receive(near, 10) == b"last words"
        assert is_silent(near)
        near.settimeout(SECONDS)
        near.sendall(bytes(8 * 1024 * 1024))  # more than any buffer: it is read, and goes nowhere
        assert is_silent(near)


def test_a_target_that_breaks_the_connection_is_gone_too(start: Start, target: socket.socket) -> None:
    with connect(start("127.0.0.1", target.getsockname()[1])) as near:
        far = accept(target)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes((1, 0, 0, 0, 0, 0, 0, 0)))
        far.close()
        assert is_silent(near)


def test_without_a_shield_the_end_is_passed_on_after_the_last_words(start: Start, target: socket.socket) -> None:
    with connect(start("127.0.0.1", target.getsockname()[1], shield=False)) as near:
        with accept(target) as far:
            far.sendall(b"last words")
        assert receive(near, 100) == b"last words"


def test_the_end_of_the_near_side_is_passed_on_after_its_last_words(start: Start, target: socket.socket) -> None:
    forwarder = start("127.0.0.1", target.getsockname()[1])
    near = connect(forwarder)
    with accept(target) as far:
        near.sendall(b"last words")
        near.close()
        assert receive(far, 100) == b"last words"


def test_a_target_that_does_not_listen_yet_is_tried_again(start: Start) -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))  # refuses until it listens
        late.settimeout(SECONDS)
        with connect(start("127.0.0.1", late.getsockname()[1])) as near:
            near.sendall(b"early")
            assert is_silent(near)
            late.listen()
            with accept(late) as far:
                assert receive(far, 5) == b"early"


@pytest.mark.parametrize("shield", [True, False])
def test_a_target_that_never_listens_is_given_up(start: Start, shield: bool) -> None:
    with socket.socket() as never:
        never.bind(("127.0.0.1", 0))
        port = never.getsockname()[1]
        with connect(start("127.0.0.1", port, shield=shield, connect_seconds=0.05)) as near:
            near.settimeout(SECONDS)
            assert is_silent(near) is shield


def test_a_near_side_that_goes_before_the_target_is_there(start: Start) -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        late.settimeout(SECONDS)
        forwarder = start("127.0.0.1", late.getsockname()[1])
        connect(forwarder).close()
        with connect(forwarder) as staying:
            staying.sendall(b"here")
            late.listen()
            got = b""
            while not got:  # the one before may still have got as far as this
                with accept(late) as far:
                    got = receive(far, 4)
            assert got == b"here"


def test_close_ends_everything_and_leaves_nothing(target: socket.socket) -> None:
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    forwarder = Forwarder("127.0.0.1", target.getsockname()[1], shield=True)
    nears = [connect(forwarder) for _ in range(20)]
    fars = [accept(target) for _ in nears]
    forwarder.close()
    forwarder.close()
    assert [receive(one, 1) for one in (*nears, *fars)] == [b""] * 40
    for one in (*nears, *fars):
        one.close()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before
    with pytest.raises(ConnectionRefusedError):
        connect(forwarder)


def test_an_ended_connection_frees_its_descriptors(start: Start, target: socket.socket) -> None:
    forwarder = start("127.0.0.1", target.getsockname()[1])
    counts = []
    for _ in range(30):
        with connect(forwarder) as near, accept(target) as far:
            near.shutdown(socket.SHUT_RDWR)
            assert receive(far, 1) == b""
            far.close()
        counts.append(len(os.listdir("/proc/self/fd")))
    # The forwarder closes its ends in a thread of its own, a moment later.
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= max(counts[:5]), "no descriptor is left")
