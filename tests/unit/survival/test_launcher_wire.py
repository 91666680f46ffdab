"""What worker and launcher say to each other arrives as it was said, the listening socket included."""

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.survival import launcher_wire
from kube_rendezvous.survival.launcher_wire import (
    DESCRIPTOR_VARIABLE,
    Ask,
    Done,
    FromLauncher,
    FromWorker,
    Give,
    LostSocketError,
    NoMore,
    Over,
    Stuck,
    Took,
    inherited_end,
    receive_from_launcher,
    receive_from_worker,
    send_to_launcher,
    send_to_worker,
    socket_pair,
)
from unit.survival.builders import place

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The launcher's and the worker's."""
    launcher, worker = socket_pair()
    with launcher, worker:
        yield launcher, worker


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("message", [Ask(0, "re-init"), Ask(7, "jax"), Took(7), Done(7), Stuck(7)], ids=repr)
def test_what_the_worker_says_arrives(ends: Ends, message: FromWorker) -> None:
    launcher, worker = ends
    send_to_launcher(worker, message)
    assert receive_from_worker(launcher) == message


@pytest.mark.parametrize(
    "message",
    [
        Give(place(3, node=1, nodes=4, local=1, local_size=2, coordinator="127.0.0.1:7")),
        Over(Interruption(3, "MemberLost", "node-1 is lost: no heartbeat for 15 s")),
        NoMore("the rendezvous is closed: done", closed=True),
        NoMore("not enough nodes came", closed=False),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_the_launcher_says_arrives(ends: Ends, message: FromLauncher) -> None:
    launcher, worker = ends
    send_to_worker(launcher, message)
    assert receive_from_launcher(worker) == message


def test_messages_keep_their_order_and_their_bounds(ends: Ends) -> None:
    launcher, worker = ends
    said: list[FromWorker] = [Ask(number, "re-init") for number in range(50)]
    for message in said:
        send_to_launcher(worker, message)
    assert [receive_from_worker(launcher) for _ in said] == said


def test_the_listening_socket_arrives_and_works_and_is_not_inherited_further(ends: Ends) -> None:
    launcher, worker = ends
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        send_to_worker(launcher, Give(place(), listening))
    given = receive_from_launcher(worker)
    assert isinstance(given, Give)
    assert given.listening is not None
    with given.listening as mine, socket.create_connection(address, 5):
        mine.accept()[0].close()
        assert mine.getsockname() == address
        assert not mine.get_inheritable()


def test_a_descriptor_belongs_to_the_message_that_it_came_with(ends: Ends) -> None:
    launcher, worker = ends
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for message in (Give(place(1)), Give(place(2), listening), Give(place(3))):
            send_to_worker(launcher, message)
    received = [receive_from_launcher(worker) for _ in range(3)]
    assert [isinstance(one, Give) and one.listening is not None for one in received] == [False, True, False]
    assert isinstance(received[1], Give)
    assert received[1].listening is not None
    received[1].listening.close()


def test_an_end_that_was_closed_is_none(ends: Ends) -> None:
    launcher, worker = ends
    worker.close()
    assert receive_from_worker(launcher) is None
    ours, theirs = socket_pair()
    with theirs:
        ours.close()
        assert receive_from_launcher(theirs) is None


FOREIGN = [b"hello", b"5", b"[]", b"null", b"{}", b'{"kind": "weather"}', b'{"kind": "took"}', b'{"kind": "give"}',
           b'{"kind": "give", "place": 5}', b'{"kind": "over", "when": 1}', b"\xff\xfe", b'{"kind": []}']  # fmt: skip


@pytest.mark.parametrize("packet", FOREIGN, ids=repr)
def test_what_is_none_of_ours_is_an_error_and_leaves_nothing_behind(ends: Ends, packet: bytes) -> None:
    launcher, worker = ends
    worker.send(packet)
    with pytest.raises((ValueError, KeyError, TypeError)):
        receive_from_worker(launcher)
    before = descriptors()
    with socket.socket() as unasked:
        socket.send_fds(launcher, [packet], [unasked.fileno()])
    with pytest.raises((ValueError, KeyError, TypeError)):
        receive_from_launcher(worker)
    assert descriptors() <= before  # others may end meanwhile


def test_a_descriptor_that_came_with_another_message_is_closed(ends: Ends) -> None:
    launcher, worker = ends
    before = descriptors()
    said = json.dumps({"kind": "no-more", "message": "", "closed": True}).encode()
    with socket.socket() as unasked:
        socket.send_fds(launcher, [said], [unasked.fileno()])
    assert receive_from_launcher(worker) == NoMore("", closed=True)
    assert descriptors() <= before  # others may end meanwhile


def test_a_worker_finds_the_end_that_it_has_inherited(ends: Ends) -> None:
    launcher, worker = ends
    says = "from kube_rendezvous.survival.launcher_wire import *; send_to_launcher(inherited_end(), Ask(0, 'jax'))"
    number = str(worker.fileno())
    environment = os.environ | {DESCRIPTOR_VARIABLE: number, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", says], env=environment, pass_fds=[worker.fileno()], check=True, timeout=60)
    assert receive_from_worker(launcher) == Ask(0, "jax")


@pytest.fixture
def impatient() -> Iterator[None]:
    """A trainer that has set a time-out for all sockets."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.01)
    yield
    socket.setdefaulttimeout(before)


def test_a_default_time_out_of_the_trainers_does_not_hold_for_our_sockets(
    ends: Ends, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher, worker = ends
    number = os.dup(worker.fileno())
    monkeypatch.setenv(DESCRIPTOR_VARIABLE, str(number))
    monkeypatch.setattr(launcher_wire, "_taken_numbers", set())
    mine = inherited_end()
    assert mine is not None
    with mine, socket.create_server(("127.0.0.1", 0)) as listening:
        assert mine.gettimeout() is None
        send_to_worker(launcher, Give(place(1), listening))
        given = receive_from_launcher(mine)
    assert isinstance(given, Give)
    assert given.listening is not None
    with given.listening:
        assert given.listening.gettimeout() is None


def test_a_socket_for_which_there_is_no_descriptor_is_an_error(ends: Ends) -> None:
    launcher, worker = ends
    with socket.create_server(("127.0.0.1", 0)) as listening:
        send_to_worker(launcher, Give(place(1), listening))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(LostSocketError, match="no free file descriptor"):
            receive_from_launcher(worker)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_takes_part_once_and_is_told_so(ends: Ends) -> None:
    _, worker = ends
    says = (
        "from kube_rendezvous.survival import survive\nfrom kube_rendezvous.api import RendezvousError\n"
        "with survive(engine='jax'):\n    pass\n"
        "try: survive(engine='jax')\nexcept RendezvousError as error: print(error)"
    )
    environment = os.environ | {DESCRIPTOR_VARIABLE: str(worker.fileno()), "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", says],
        env=environment,
        pass_fds=[worker.fileno()],
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert told.stdout.startswith("survive() was called in this process before.")


@pytest.mark.parametrize("number", ["", "none", "9999", "-1"])
def test_without_a_launcher_there_is_no_end(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setenv(DESCRIPTOR_VARIABLE, number)
    assert inherited_end() is None


def test_a_number_that_means_something_else_here_is_no_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, socket.create_server(("127.0.0.1", 0)) as listening:
        for number in (file.fileno(), listening.fileno()):
            monkeypatch.setenv(DESCRIPTOR_VARIABLE, str(number))
            assert inherited_end() is None
        file.write("still open")
        assert listening.getsockname()[1] > 0
