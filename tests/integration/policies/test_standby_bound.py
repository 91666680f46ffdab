"""`spec.standby.max`: who is one too many goes home, and disturbs nobody by it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from integration.torchrun.node import Node as TorchrunNode
from kube_rendezvous.api import RendezvousGracefulExitError
from rendezvous_local.cluster import Cluster

pytestmark = pytest.mark.usefixtures("operator")

MakeNode = Callable[..., Node]

TORCHRUN_SECONDS = 60.0


def test_one_beyond_the_spares_is_sent_home_and_a_spare_takes_over_as_ever(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, maxNodes=2, standby={"max": 1})
    first, second = node(), node()
    meet(first, second)
    spare = node()
    waiting = spare.join()
    run.until(lambda status: status.standby == 1, "the third stands by")
    surplus = node()
    with pytest.raises(RendezvousGracefulExitError) as sent:
        surplus.join().result(60)
    assert str(sent.value) == (
        f"Rendezvous {run.namespace}/run does not need this node: round 1 stands with 2 nodes, "
        "and no more than spec.standby.max (1) spares stand by"
    )
    assert surplus.handler.shutdown()
    status = run.until(lambda status: status.standby == 1, "it has gone")
    assert (status.closed, status.round, status.surplus) == (None, 1, ())
    assert not first.told
    assert not second.told
    assert not waiting.done()
    lost = run.member_in(first.slot)
    assert lost is not None
    first.fall_silent()
    run.delete_member(lost.name)
    eventually(lambda: second.told, "the survivor is told")
    await_round([spare, second], [waiting, second.join()])


def test_nobody_is_sent_home_for_whom_the_round_has_a_place(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, maxNodes=3, standby={"max": 0})
    nodes = [node(2, 3), node(2, 3)]
    meet(*nodes)
    late = node(2, 3)
    waiting = late.join()
    eventually(lambda: all(one.told for one in nodes), "those who run are told")
    await_round([late, *nodes], [waiting, *(one.join() for one in nodes)])


def test_a_torchrun_that_is_sent_home_ends_with_status_0_and_says_why_whatever_its_log_level(
    run: Run, node: MakeNode, cluster: Cluster, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="torchrun is needed")
    run.create(minNodes=2, maxNodes=2, standby={"max": 0})
    nodes = [node(), node()]
    meet(*nodes)
    torchrun = torchrun_node(run, tmp_path, {"KUBECONFIG": str(cluster.kubeconfig)})
    torchrun.start()
    try:
        status = torchrun.exit_status(TORCHRUN_SECONDS)
    finally:
        torchrun.kill()
    assert status == 0, torchrun.log
    assert "spec.standby.max (0) spares stand by" in torchrun.log
    assert "Traceback" not in torchrun.log
    assert torchrun.starts == [], "no worker was started"
    assert run.status.closed is None
    assert not any(one.told for one in nodes)


def torchrun_node(run: Run, folder: Path, environment: Mapping[str, str]) -> TorchrunNode:
    """A stock torchrun agent that goes to this Rendezvous."""
    arguments = [
        "--nnodes=2",
        "--nproc-per-node=1",
        "--rdzv-backend=kubernetes",
        f"--rdzv-id={run.name}",
        f"--rdzv-endpoint={run.namespace}",
    ]
    worker = Path(__file__).parents[1] / "torchrun" / "workers" / "waiting_worker.py"
    return TorchrunNode("late-9", arguments, worker, folder, environment)
