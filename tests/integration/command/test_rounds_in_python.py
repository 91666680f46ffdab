"""`kube_rendezvous.rendezvous`: the loop over rounds in Python."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

import kube_rendezvous
from integration.handlers.runs import Run
from rendezvous_local.cluster import Cluster

Work = Callable[[kube_rendezvous.Round], None]
Node = Callable[[str, Work], "Future[list[int]]"]

ROUND_SECONDS = 60.0


@pytest.fixture
def node(cluster: Cluster, run: Run) -> Iterator[Node]:
    """``node("0", work)``: does the work in each round; its result: the world sizes."""
    kubeconfig: Path = cluster.kubeconfig

    def take_part(slot: str, work: Work) -> list[int]:
        sizes = []
        with kube_rendezvous.rendezvous(
            run.name, nnodes="1:2", namespace=run.namespace, kubeconfig=str(kubeconfig), slot=slot, join_timeout=60
        ) as rounds:
            for round in rounds:
                sizes.append(round.world_size)
                work(round)
        return sizes

    with ThreadPoolExecutor() as pool:
        yield lambda slot, work: pool.submit(take_part, slot, work)


def test_the_body_runs_once_a_round_and_is_told_when_the_round_is_over(run: Run, node: Node) -> None:
    run.create(minNodes=1, maxNodes=2)
    alone, both = threading.Event(), threading.Barrier(2, timeout=ROUND_SECONDS)

    def work(round: kube_rendezvous.Round) -> None:
        if round.world_size == 1:
            alone.set()
            assert round.wait_until_interrupted(ROUND_SECONDS)
            assert round.interruption is not None
            assert round.interruption.reason == "Growth"
            return
        assert round.environment()["RANK"] == str(round.rank)
        assert not round.interrupted
        both.wait()  # as in a collective: who ends its work ends the run, and the other would not get into the round

    first = node("0", work)
    assert alone.wait(ROUND_SECONDS)
    second = node("1", work)
    assert first.result(ROUND_SECONDS) == [1, 2]
    assert second.result(ROUND_SECONDS) == [2]
    assert run.status.closed is not None


def test_an_error_leaves_and_does_not_close(run: Run, node: Node) -> None:
    run.create(minNodes=1, maxNodes=2)
    alone, together = threading.Event(), threading.Event()

    def stay(round: kube_rendezvous.Round) -> None:
        if round.world_size == 1 and together.is_set():
            return
        (alone if round.world_size == 1 else together).set()
        assert round.wait_until_interrupted(ROUND_SECONDS)

    def fail(round: kube_rendezvous.Round) -> None:
        assert together.wait(ROUND_SECONDS)
        raise ArithmeticError("loss is NaN")

    steady = node("0", stay)
    assert alone.wait(ROUND_SECONDS)
    failing = node("1", fail)
    with pytest.raises(ArithmeticError, match="NaN"):
        failing.result(ROUND_SECONDS)
    assert steady.result(ROUND_SECONDS) == [1, 2, 1]
