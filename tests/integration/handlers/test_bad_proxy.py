"""Answers that are not the API server's: no thread ends, nobody is told without a cause, and all is well soon after."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.handlers.bad_proxy import BadProxy, Mood
from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.cluster.connection import Connection, ResponseStream
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import collection_path
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

MakeNode = Callable[..., Node]
pytestmark = pytest.mark.timeout(300)

BAD_SECONDS = 12.0
SETTLED_SECONDS = 15.0
SLOW_MACHINE_SECONDS = 15.0
BAD = [mood for mood in Mood if mood is not Mood.GOOD]


@pytest.fixture(scope="module")
def proxy(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BadProxy]:
    if cluster.control_plane is None:
        pytest.skip("needs a kubeconfig with a token: unset KUBECONFIG")
    with BadProxy(cluster.kubeconfig, tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def operator_behind(
    proxy: BadProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OperatorProcess, Path]]:
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    with OperatorProcess(proxy.kubeconfig, log=log) as operator:
        yield operator, log


def threads() -> set[str]:
    """Names of the handlers' own; an earlier test's handler that says goodbye ends its thread when it likes."""
    return {t.name for t in threading.enumerate() if t.name.startswith("rendezvous-")} - {"rendezvous-farewell"}


def open_watch(proxy: BadProxy, run: Run) -> ResponseStream:
    """Of nobody: no event will ever come."""
    connection = Connection.open(str(proxy.kubeconfig))
    nobody = {"watch": "1", "timeoutSeconds": "600", "fieldSelector": "metadata.name=nobody"}
    return connection.stream(collection_path(MEMBER_PLURAL, run.namespace), query=nobody, silence=300.0)


def test_the_proxy_notices_that_a_watcher_has_gone_although_nothing_happens(proxy: BadProxy, run: Run) -> None:
    before = proxy.open_watches
    watch = open_watch(proxy, run)
    eventually(lambda: proxy.open_watches > before, "it passes the watch on")
    watch.close()
    eventually(lambda: proxy.open_watches == before, "it has given the watch up")


def test_watches_end_with_the_proxys_mood_although_nothing_happens(proxy: BadProxy, run: Run) -> None:
    watch = open_watch(proxy, run)
    lines = watch.lines()
    threading.Timer(0.5, lambda: proxy.set(Mood.GOOD)).start()
    began = time.monotonic()
    assert list(lines) == []
    assert time.monotonic() - began < SLOW_MACHINE_SECONDS
    watch.close()


@pytest.mark.parametrize("mood", BAD, ids=[mood.name.lower() for mood in BAD])
def test_while_a_proxy_misbehaves_nobody_is_told_and_afterwards_all_is_well(
    mood: Mood,
    proxy: BadProxy,
    operator_behind: tuple[OperatorProcess, Path],
    run: Run,
    node: MakeNode,
) -> None:
    operator, log = operator_behind
    run.create(minNodes=2, heartbeatSeconds=1)
    nodes = [node(kubeconfig=proxy.kubeconfig) for _ in range(2)]
    meet(*nodes)
    before = threads()
    told = []
    proxy.set(mood)
    end = time.monotonic() + BAD_SECONDS
    while time.monotonic() < end:
        told += [one.slot for one in nodes if one.told]
        time.sleep(0.1)
    assert proxy.answered_badly > 0
    proxy.set(Mood.GOOD)
    good = time.monotonic()
    beats = {member.name: member.renew_time for member in run.members()}
    settled = SETTLED_SECONDS + SLOW_MACHINE_SECONDS
    eventually(lambda: all(m.renew_time != beats[m.name] for m in run.members()), "both beat again", settled)
    eventually(lambda: operator.page("/livez") == "alive\n", "the operator is alive", settled)
    sys.stdout.write(f"\n{mood.name}: both beat, and the operator is alive, {time.monotonic() - good:.1f} s after\n")
    assert not told
    assert not any(one.told for one in nodes)
    assert run.status.round == 1
    assert before <= threads(), "no thread ended"
    assert operator.restarts == 0
    assert "Traceback" not in log.read_text()
    lost, other = nodes
    lost.fall_silent()
    fell = time.monotonic()
    eventually(lambda: other.told, "and a death is told", settled)
    sys.stdout.write(f"{mood.name}: and a death was told {time.monotonic() - fell:.1f} s after it\n")


@pytest.mark.parametrize("mood", BAD, ids=[mood.name.lower() for mood in BAD])
def test_who_joins_through_it_joins_when_it_has_become_good(
    mood: Mood, proxy: BadProxy, operator_behind: tuple[OperatorProcess, Path], run: Run, node: MakeNode
) -> None:
    run.create(minNodes=2)
    nodes = [node(kubeconfig=proxy.kubeconfig) for _ in range(2)]
    proxy.set(mood)
    so_far = proxy.answered_badly
    joins = [one.join() for one in nodes]
    eventually(lambda: proxy.answered_badly >= so_far + 4, "they have tried more than once")
    assert not any(join.done() and join.exception() for join in joins), [join.exception() for join in joins]
    proxy.set(Mood.GOOD)
    good = time.monotonic()
    assert sorted(join.result(SETTLED_SECONDS + SLOW_MACHINE_SECONDS).rank for join in joins) == [0, 1]
    sys.stdout.write(f"\n{mood.name}: both have joined {time.monotonic() - good:.1f} s after\n")
