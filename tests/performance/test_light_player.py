"""Light watchers do what keeps a member in its round: they renew themselves, and miss no status."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from kube_rendezvous.resources.rendezvous_slice import slice_name
from performance import light_player
from performance.light_player import Member, Second

LIMIT_SECONDS = 20.0


class Wire:
    """Notes what is asked; answers the first question when it is let."""

    def __init__(self, answer: Any) -> None:
        self.asked: list[str] = []
        self.let, self._answer = asyncio.Event(), answer

    async def answer(self, method: str, path: str, body: Any = None, content_type: str = "") -> Any:
        self.asked.append(f"{method} {path.rsplit('/', 1)[1]}")
        await asyncio.wait_for(self.let.wait(), LIMIT_SECONDS)
        return self._answer


def member(wire: Wire) -> Member:
    second = Second(None)  # type: ignore[arg-type]
    second._wire = wire  # type: ignore[assignment]
    return Member(None, "ns", "run", 0, asyncio.Semaphore(1), second)  # type: ignore[arg-type]


def in_slices(number: int, digest: str) -> dict[str, Any]:
    return {"round": number, "slices": {"members": [digest], "history": "h"}}


async def _renews() -> list[str]:
    wire = Wire({})
    wire.let.set()
    one = member(wire)
    one._wished = 0
    beating = asyncio.create_task(one._beat())
    async with asyncio.timeout(LIMIT_SECONDS):
        while len(wire.asked) < 3:
            await asyncio.sleep(0)
    beating.cancel()
    return wire.asked


def test_it_renews_itself_again_and_again() -> None:
    assert all(asked.startswith("PATCH light-0-") for asked in asyncio.run(_renews()))


async def _overtaken() -> tuple[list[str], int]:
    wire = Wire({"spec": {"members": []}})
    one = member(wire)
    wire._answer = {"spec": {"members": [one.name]}}
    one._see(in_slices(1, "a"))
    await asyncio.sleep(0)
    one._see(in_slices(2, "b"))
    wire.let.set()
    await asyncio.wait_for(one.placed, LIMIT_SECONDS)
    async with asyncio.timeout(LIMIT_SECONDS):
        while one._round < 2:
            await asyncio.sleep(0)
    return wire.asked, one._round


def test_a_status_that_comes_while_it_reads_a_slice_is_not_missed() -> None:
    asked, number = asyncio.run(_overtaken())
    assert (asked, number) == ([f"GET {slice_name('run', one)}" for one in ("a", "b")], 2)


@pytest.mark.parametrize(("files", "two"), [(9_000, True), (8_999, False)])
def test_members_share_second_connections_where_not_so_many_files_may_be_open(
    monkeypatch: pytest.MonkeyPatch, files: int, two: bool
) -> None:
    monkeypatch.setattr(light_player.resource, "getrlimit", lambda _: (1024, files))
    assert light_player.may_have_two_each(4_000) is two


async def _not_in(slices: list[dict[str, Any]]) -> tuple[list[str], bool]:
    wire = Wire({"spec": {"members": ["somebody-else"]}})
    wire.let.set()
    one = member(wire)
    for status in slices:
        one._see(status)
        for _ in range(20):
            await asyncio.sleep(0)
    return wire.asked, one.placed.done()


def test_a_newcomer_reads_a_slice_that_does_not_name_it_once_and_waits() -> None:
    standing = in_slices(1, "a")
    asked, placed = asyncio.run(_not_in([standing, standing]))
    assert (len(asked), placed) == (1, False)


async def _some_join_again(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(light_player, "JOIN_AGAIN_SECONDS", 0.05)
    wire = Wire({})
    wire.let.set()
    player = light_player.LightPlayer.__new__(light_player.LightPlayer)
    player._members = [member(wire) for _ in range(3)]
    player._server = SimpleNamespace(read=0, written=0)  # type: ignore[assignment]
    monkeypatch.setattr(player, "_uid", AsyncMock(return_value="uid"))
    await player.arm(victim="")
    told_alone, told_and_placed, _ = player._members
    told_alone.told.set_result(1.0)
    told_and_placed.told.set_result(1.0)
    told_and_placed.placed.set_result(2.0)
    return await player.joined_again()


def test_patience_that_ends_before_all_have_joined_again_is_said_with_what_it_has_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = time.monotonic()
    answer = asyncio.run(_some_join_again(monkeypatch))
    assert answer["unfinished"]
    assert answer["told"] >= began
    assert answer["ended"] >= began
    assert answer["requests"] == 2


async def _sees_closed(status: dict[str, Any]) -> bool:
    one = member(Wire({}))
    one._see(status)
    return one.closed.done()


@pytest.mark.parametrize(("closed", "seen"), [({"reason": "Member"}, True), (None, False)])
def test_it_sees_that_its_rendezvous_is_closed(closed: Any, seen: bool) -> None:
    assert asyncio.run(_sees_closed({"round": 0, "closed": closed})) is seen
