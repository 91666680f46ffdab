"""A Rendezvous that is deleted while members wait and while they run, and one that comes after it."""

import logging
from collections.abc import Callable

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousTimeoutError

pytestmark = pytest.mark.usefixtures("operator")


def uid_of(run: Run) -> str:
    rendezvous = run.get()
    return rendezvous.uid if rendezvous is not None else ""


def test_those_who_wait_at_a_rendezvous_that_a_client_made_make_it_again_and_meet(
    run: Run, node: Callable[..., Node]
) -> None:
    nodes = [node(3, 3), node(3, 3)]
    joins = [one.join() for one in nodes]
    first = eventually(lambda: uid_of(run), "a client makes it")
    run.until_joined(2)
    run.delete()
    eventually(lambda: uid_of(run) not in ("", first), "a client makes it again")
    nodes.append(node(3, 3))
    joins.append(nodes[-1].join())
    await_round(nodes, joins)
    assert run.status.round == 1


def test_those_who_wait_at_a_rendezvous_that_a_person_made_wait_for_a_person_and_say_so(
    run: Run, node: Callable[..., Node], caplog: pytest.LogCaptureFixture
) -> None:
    run.create(minNodes=2)
    one = node()
    waiting = one.join()
    run.until_joined(1)
    with caplog.at_level(logging.INFO, "kube_rendezvous"):
        run.delete()
        eventually(lambda: "there is no such object" in caplog.text, "it says that it waits for the object")
    assert "was deleted" in caplog.text
    run.until_members(0)
    assert run.get() is None
    assert not waiting.done()
    run.create(minNodes=2)
    other = node()
    await_round([one, other], [waiting, other.join()])


def test_who_waits_in_vain_for_a_person_is_told_how_to_make_the_rendezvous_again(
    run: Run, node: Callable[..., Node]
) -> None:
    run.create(minNodes=2)
    waiting = node(join_timeout=3).join()
    run.until_joined(1)
    run.delete()
    with pytest.raises(RendezvousTimeoutError, match=f"kubectl -n {run.namespace} apply -f"):
        waiting.result(60)


def test_those_who_run_are_not_disturbed_while_it_is_gone_and_join_afresh_when_it_is_created_anew(
    run: Run, node: Callable[..., Node]
) -> None:
    run.create(minNodes=2, heartbeatSeconds=1)
    nodes = [node(), node()]
    meet(*nodes)
    run.delete()
    run.until_members(0)
    eventually(lambda: all(one.requests[-1].status == 404 for one in nodes), "their heartbeats find no Member any more")
    assert not any(one.told for one in nodes)

    run.create(minNodes=2)
    eventually(lambda: all(one.told for one in nodes), "everybody is told of the new one")
    meet(*nodes)
    assert run.status.round == 1
    assert not any(one.told for one in nodes)


def test_deleted_and_created_anew_in_one_go_is_another_rendezvous(run: Run, node: Callable[..., Node]) -> None:
    run.create(minNodes=2)
    nodes = [node(), node()]
    meet(*nodes)
    run.delete()
    run.create(minNodes=2)
    eventually(lambda: all(one.told for one in nodes), "everybody is told")
    meet(*nodes)
    assert len(run.until_members(2)) == 2
    assert run.status.round == 1


def test_other_rendezvous_are_untouched_when_one_is_deleted(
    run: Run, runs: Callable[[str], Run], node: Callable[..., Node]
) -> None:
    bystander = runs("bystander").create(minNodes=1)
    beside = node(1, 1, run_id="bystander")
    meet(beside)
    before = bystander.get()
    run.create(minNodes=2)
    meet(node(), node())
    run.delete()
    run.until_members(0)
    assert bystander.get() == before
    assert not beside.told
