"""Peers that publish their addresses and never connect hold nobody once the round is over."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

pytest.importorskip("torch", reason="gloo is torch's")

import torch.distributed as dist

from integration.handlers.eventually import eventually
from kube_rendezvous.store_protocol import Store
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.gloo_addresses import Published, read_published
from kube_rendezvous.survival.round_store import RoundStore

SIZE = 3
LIMIT_SECONDS = 60.0
"""Of gloo itself: a test that passes by its help is none."""
FREED_SECONDS = 20.0


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
    """Makes its group; `error` says how that failed."""

    def __init__(self, rank: int, shared: Any) -> None:
        super().__init__(daemon=True)
        self.store = Kept(shared)
        self.error: BaseException | None = None
        self._rank = rank

    def run(self) -> None:
        try:
            dist.ProcessGroupGloo(self.store, self._rank, SIZE, timeout=timedelta(seconds=LIMIT_SECONDS))
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


def test_standing_in_needs_no_listener() -> None:
    from kube_rendezvous.survival.gloo_addresses import stand_in_for_the_absent

    stand_in_for_the_absent(Published("127.0.0.1", 1, (b"\x01" * 8,)))
