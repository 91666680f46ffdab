"""Very many members leave at once: intervals shrink, and nobody who lives is taken for lost."""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration.handlers.attacks import FULL, LEAVING_AT_ONCE
from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import object_path
from rendezvous_local.operator_process import OperatorProcess

MakeNode = Callable[..., Node]
pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(900)]

STAYING = 6
MOST = 1000
WISHED = 5 if FULL else 2
"""Seconds; so that the leaving make it several times as long."""
LIMIT_SECONDS = 240.0


@pytest.fixture(autouse=True)
def watched() -> None:
    """Nobody keeps every version of a thousand members."""


@pytest.fixture
def crowd(anybody: Connection, namespace: str) -> Iterator[Callable[[Run, int], Callable[[], None]]]:
    """``crowd(run, count)``: so many members of that run join; what it returns lets them leave, all at once."""
    with ThreadPoolExecutor(16) as pool:

        def come(run: Run, count: int) -> Callable[[], None]:
            names = [f"crowd-{number}" for number in range(count)]
            list(pool.map(run.write_member, names))

            def leave(name: str) -> None:
                path = object_path(MEMBER_PLURAL, namespace, name)
                body = {"spec": {"leaving": True}}
                anybody.request("PATCH", path, body=body, content_type=MERGE_PATCH, timeout=60)

            return lambda: list(pool.map(leave, names)) and None

        yield come


def test_nobody_who_lives_is_lost_when_a_thousand_leave_at_once(
    crowd: Callable[[Run, int], Callable[[], None]],
    namespace: str,
    anybody: Connection,
    node: MakeNode,
    runs: Callable[[str], Run],
    operator: OperatorProcess,
) -> None:
    """Those that stay in the run of the thousand, and those of another run of the namespace."""
    neighbours = runs("neighbours").create(minNodes=STAYING, heartbeatSeconds=WISHED)
    others = [node(STAYING, STAYING, run_id="neighbours") for _ in range(STAYING)]
    meet(*others, seconds=60)
    everybody = LEAVING_AT_ONCE + STAYING
    run = runs("run").create(minNodes=everybody, maxNodes=MOST, heartbeatSeconds=WISHED)
    leave = crowd(run, LEAVING_AT_ONCE)
    staying = [node(STAYING, MOST) for _ in range(STAYING)]
    joins = [one.join() for one in staying]
    run.until(lambda status: status.world_size == everybody, "all have a rank", LIMIT_SECONDS)
    for join in joins:
        join.result(60)
    run.change(minNodes=STAYING)
    long = run.status.heartbeat_seconds
    assert long >= 2 * WISHED
    neighbours_long = neighbours.status.heartbeat_seconds
    before = names_of(staying, run)
    began = time.monotonic()
    leave()
    took = time.monotonic() - began
    eventually(lambda: all(one.told for one in staying), "all are told", 60)
    joins = [one.join() for one in staying]
    await_round(staying, joins, LIMIT_SECONDS)
    run.until(lambda status: status.heartbeat_seconds == WISHED, "the interval has shrunk", LIMIT_SECONDS)
    short = time.monotonic() - began
    eventually(lambda: time.monotonic() - began > short + 6 * WISHED, "two silences more", LIMIT_SECONDS)
    assert neighbours.status.round == 1
    assert not any(one.told for one in others)
    assert not any(one.told for one in staying)
    assert names_of(staying, run) == before
    for status in (run.status, neighbours.status):
        assert status.heartbeat_seconds == WISHED
    assert operator.restarts == 0
    sys.stdout.write(
        f"\n{LEAVING_AT_ONCE} members left within {took:.1f} s; the interval went from {long} to {WISHED} s within "
        f"{short:.0f} s (the neighbours' from {neighbours_long}); nobody was lost\n"
    )


def names_of(nodes: list[Node], run: Run) -> list[str]:
    """Of their Members."""
    return [member.name for node in nodes for member in [run.member_in(node.slot)] if member is not None]
