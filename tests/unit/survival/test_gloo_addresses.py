"""Peers that publish their addresses and never connect hold nobody once the round is over."""

import contextlib
import os
import socket
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("torch", reason="gloo is torch's")

import torch.distributed as dist

from integration.handlers.eventually import eventually
from kube_rendezvous.store_protocol import Store
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.gloo_addresses import Published, read_published, stand_in_for_the_absent
from kube_rendezvous.survival.reconfigure_engine import ReconfigureEngine, torch_can_reconfigure
from kube_rendezvous.survival.reinit_engine import ReinitEngine
from kube_rendezvous.survival.round_store import RoundStore
from kube_rendezvous.survival.worker_place import WorkerPlace

SIZE = 3
LIMIT_SECONDS = 60.0
"""Of gloo itself: a test that passes by its help is none."""
FREED_SECONDS = 20.0
CLOSE_WAIT = "08"


class Kept(RoundStore):
    """Keeps what was published; `hold` keeps its user from what the others have published."""

    def __init__(self, store: Any) -> None:
        super().__init__()
        self.kept: list[bytes] = []
        self.is_held = False
        self.may_go = threading.Event()
        self.move_on(cast(Store, store), self.may_go.is_set)

    def set(self, key: str, value: str | bytes) -> None:
        if isinstance(value, bytes):
            self.kept.append(value)
        super().set(key, value)

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        if self.is_held:
            self.may_go.wait()
            raise RoundOverError("given up after it had published its address")
        super().wait(keys, timeout)


class Member(threading.Thread):
    """Makes its group and keeps it; `error` says how that failed."""

    def __init__(self, rank: int, shared: Any) -> None:
        super().__init__(daemon=True)
        self.store = Kept(shared)
        self.group: Any = None
        self.error: BaseException | None = None
        self._rank = rank

    def run(self) -> None:
        try:
            limit = timedelta(seconds=LIMIT_SECONDS)
            self.group = dist.ProcessGroupGloo(self.store, self._rank, SIZE, timeout=limit)
        except BaseException as error:
            self.error = error


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> list[Member]:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    shared = dist.HashStore()
    return [Member(rank, shared) for rank in range(SIZE)]


def test_what_gloo_publishes_is_read(members: list[Member]) -> None:
    for member in members:
        member.start()
    for member in members:
        member.join(LIMIT_SECONDS)
        assert member.error is None
        ours = read_published(member.store.kept[0])
        assert ours is not None
        assert (ours.host, len(ours.numbers)) == ("127.0.0.1", SIZE)
        assert 0 < ours.port < 65536


@pytest.mark.parametrize(
    "value", [b"", b"1", b"x" * 7, b"\xff" * 200, bytes(200), b"\x02" + bytes(7) + b"vm" + bytes(8)]
)
def test_other_values_are_none(value: bytes) -> None:
    assert read_published(value) is None


@pytest.mark.parametrize("absent", range(SIZE))
def test_who_waits_for_a_peer_that_never_connects_is_freed(members: list[Member], absent: int) -> None:
    members[absent].store.is_held = True
    for member in members:
        member.start()
    for member in members:
        eventually(lambda member=member: member.store.kept, "its address is published")  # type: ignore[misc]
    present = [member for member in members if member is not members[absent]]

    def all_are_out() -> bool:
        for member in present:
            if member.is_alive():
                member.store.free_those_that_connect()
        return not any(member.is_alive() for member in present)

    eventually(all_are_out, "all others are out of their waits", FREED_SECONDS)
    members[absent].store.may_go.set()
    members[absent].join(FREED_SECONDS)
    assert isinstance(members[absent].error, RoundOverError)


def kept_by(listener: Published) -> int:
    """How many connections that their other end has closed a listener on 127.0.0.1 has not: the kernel's table, of
    which this process has its part."""
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    ours = {0}  # not accepted yet; the others after the table, since one may be accepted meanwhile
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            ours.add(os.stat(f"/proc/self/fd/{number}").st_ino)
    return sum(
        line[3] == CLOSE_WAIT and int(line[1].rpartition(":")[2], 16) == listener.port and int(line[9]) in ours
        for line in lines
    )


def keeps(listener: Published, count: int) -> None:
    """On a busy machine the kernel carries an end over to the other side a moment later."""
    eventually(lambda: kept_by(listener) == count, f"{count} are kept", FREED_SECONDS)


@pytest.fixture
def made(members: list[Member]) -> tuple[Member, Published]:
    for member in members:
        member.start()
    for member in members:
        member.join(LIMIT_SECONDS)
        assert member.error is None
    ours = read_published(members[0].store.kept[0])
    assert ours is not None
    return members[0], ours


def test_a_connection_that_nobody_waits_for_stays(made: tuple[Member, Published]) -> None:
    """Why a group that is made gets none."""
    stand_in_for_the_absent(made[1])
    keeps(made[1], SIZE)


def test_a_group_that_is_made_keeps_no_descriptor_of_those_who_would_stand_in(made: tuple[Member, Published]) -> None:
    member, ours = made
    member.store.groups_are_made()
    member.store.free_those_that_connect()
    assert kept_by(ours) == 0


def test_stand_ins_for_a_group_come_once(made: tuple[Member, Published]) -> None:
    """It may be a sub-group, of which nobody says that it is made; who frees asks again and again."""
    member, ours = made
    for _ in range(3):
        member.store.free_those_that_connect()
    keeps(ours, SIZE)


def test_members_that_connect_when_they_first_speak_are_freed(
    made: tuple[Member, Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_GLOO_LAZY_INIT", "1")
    member, ours = made
    member.store.groups_are_made()
    member.store.free_those_that_connect()
    keeps(ours, SIZE)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Published]:
    """What was published in rounds' stores."""
    heard: list[Published] = []
    learn = RoundStore._learn

    def heard_too(self: RoundStore, value: str | bytes) -> Published | None:
        published = learn(self, value)
        heard.extend([published] if published else [])
        return published

    monkeypatch.setattr(RoundStore, "_learn", heard_too)
    return heard


Engines = type[ReinitEngine] | type[ReconfigureEngine]
NEEDS = pytest.mark.skipif(not torch_can_reconfigure(), reason="torch has no reconfigure before 2.15")


@pytest.mark.parametrize("engine", [ReinitEngine, pytest.param(ReconfigureEngine, marks=NEEDS)])
def test_freed_in_a_round_that_stands_a_worker_keeps_no_descriptor(
    engine: Engines, heard: list[Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    with closing(engine("gloo", collective_timeout=LIMIT_SECONDS, take_in_timeout=LIMIT_SECONDS)) as worker:
        take_in_alone(worker, 1)
        worker.free()
        assert [kept_by(listener) for listener in heard] == [0] * len(heard)


@pytest.mark.parametrize("interface", ["lo", ""])
@NEEDS
def test_descriptors_of_stand_ins_go_with_the_round(
    heard: list[Published], interface: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", interface)
    monkeypatch.setattr(RoundStore, "groups_are_made", lambda _: None)  # it is freed before that
    with closing(ReconfigureEngine("gloo", collective_timeout=LIMIT_SECONDS, take_in_timeout=LIMIT_SECONDS)) as worker:
        take_in_alone(worker, 1)
        before = len(os.listdir("/proc/self/fd"))
        for number in range(2, 6):
            *_, listener = heard
            worker.free()
            keeps(listener, 1)
            take_in_alone(worker, number)
            keeps(listener, 0)
            assert heard[-1].host == listener.host
            assert heard[-1].port != listener.port
        eventually(lambda: len(os.listdir("/proc/self/fd")) <= before, "no descriptor is left", FREED_SECONDS)


def take_in_alone(worker: ReinitEngine | ReconfigureEngine, number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        alone = WorkerPlace("ns", "run", "uid", number, 0, 1, 0, 1, "127.0.0.1", listening.getsockname()[1])
        worker.take_in(alone, listening, progress=0, newcomer=True, given_up=lambda: False)


def test_standing_in_needs_no_listener() -> None:
    stand_in_for_the_absent(Published("127.0.0.1", 1, (b"\x01" * 8,)))
