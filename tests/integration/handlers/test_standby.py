"""One node too many stands by, and takes over at a loss."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousTimeoutError
from kube_rendezvous.resources import RendezvousStatus

pytestmark = pytest.mark.usefixtures("operator")

MakeNode = Callable[..., Node]


def spare_beside(run: Run, node: MakeNode, **config: Any) -> tuple[Node, Node, Node, "Future[Any]"]:
    """Two nodes whose round is full, and a third one that waits."""
    run.create(minNodes=2, maxNodes=2)
    first, second = node(), node()
    meet(first, second)
    spare = node(**config)
    waiting = spare.join()
    run.until(lambda status: status.standby == 1, "the third stands by")
    return first, second, spare, waiting


def test_a_node_beyond_max_nodes_stands_by_and_disturbs_nobody(run: Run, node: MakeNode) -> None:
    first, second, _, waiting = spare_beside(run, node)
    assert run.status.round == 1
    assert not first.told
    assert not second.told
    assert not waiting.done()


def test_a_spare_takes_over_the_rank_of_a_lost_member(run: Run, node: MakeNode) -> None:
    first, second, spare, waiting = spare_beside(run, node)
    lost = run.member_in(first.slot)
    assert lost is not None
    rank = run.status.ranks.index(lost.name)
    first.fall_silent()
    run.delete_member(lost.name)
    eventually(lambda: second.told, "the survivor is told")
    infos = await_round([spare, second], [waiting, second.join()])
    assert infos[0].rank == rank
    assert run.status.history[0].moved_ranks == 1


def test_a_spare_that_gives_up_leaves_and_does_not_close(run: Run, node: MakeNode) -> None:
    first, second, spare, _ = spare_beside(run, node)
    assert spare.handler.shutdown()
    run.until(lambda status: status.standby == 0, "it is not counted any more")
    assert run.status.closed is None
    assert not first.told
    assert not second.told


def test_the_join_timeout_does_not_run_for_a_spare_beside_a_standing_round(run: Run, node: MakeNode) -> None:
    first, second, spare, waiting = spare_beside(run, node, join_timeout=5)
    with pytest.raises(TimeoutError):
        waiting.result(7)
    lost = run.member_in(first.slot)
    assert lost is not None
    first.fall_silent()
    run.delete_member(lost.name)
    eventually(lambda: second.told, "the survivor is told")
    await_round([spare, second], [waiting, second.join()])
    assert spare.given_up_on_arrival == [False], "it has time to open the store of the round that it waited for"


def test_the_join_timeout_runs_for_a_node_without_which_there_is_no_round(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2)
    with pytest.raises(RendezvousTimeoutError, match="1 of 2 required nodes wait for round 1") as failed:
        node(join_timeout=3).join().result(60)
    assert f"Rendezvous {run.namespace}/run: no answer within 3 s" in str(failed.value)


def test_a_node_that_comes_late_is_taken_in_when_there_is_room(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, maxNodes=3)
    nodes = [node(), node()]
    meet(*nodes)
    nodes.append(node())
    late = nodes[-1].join()
    eventually(lambda: nodes[0].told and nodes[1].told, "those who run are told")
    infos = await_round([nodes[2], *nodes[:2]], [late, *(one.join() for one in nodes[:2])])
    assert infos[0].rank == 2, "those who were there keep their ranks"


def test_a_node_that_comes_late_waits_for_another_reason_with_late_joiners_wait(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, maxNodes=3, lateJoiners="Wait", lastCallSeconds=2)
    first, second = node(), node()
    meet(first, second)
    late = node()
    waiting = late.join()
    run.until(lambda status: status.standby == 1, "it stands by")
    assert not first.told
    restarted = first.join()
    eventually(lambda: second.told, "the other is told of the restart")
    await_round([first, second, late], [restarted, second.join(), waiting])


def both_count(status: RendezvousStatus) -> bool:
    return status.forming is not None and status.forming.arrived == 2


def test_newcomers_do_not_throw_out_those_who_run_however_short_last_call_is(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, maxNodes=4)
    nodes = [node(2, 4) for _ in range(2)]
    meet(*nodes)
    newcomers = [node(2, 4) for _ in range(2)]
    waiting = [one.join() for one in newcomers]
    eventually(lambda: all(one.told for one in nodes), "those who run are told")
    run.until(both_count, "both have come: without last call the round waits for nobody else")
    await_round([*nodes, *newcomers], [*(one.join() for one in nodes), *waiting])


def test_no_world_is_formed_that_the_node_unit_does_not_divide(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, maxNodes=4, nodeUnit=2, lastCallSeconds=2)
    nodes = [node(2, 4) for _ in range(2)]
    meet(*nodes)
    third = node(2, 4)
    waiting = third.join()
    run.until(lambda status: status.standby == 1, "the third stands by")
    assert not nodes[0].told
    fourth = node(2, 4)
    joins = [waiting, fourth.join()]
    eventually(lambda: all(one.told for one in nodes), "with a fourth the world grows")
    await_round([third, fourth, *nodes], [*joins, *(one.join() for one in nodes)])
