"""Members that somebody wrote by hand, with garbage in them: refused or removed, and said; nobody else is disturbed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.handlers.agents import Agent, all_run_together
from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from kube_rendezvous.cluster import ApiRefusedError
from rendezvous_local.operator_process import OperatorProcess

MakeNode = Callable[..., Node]


@pytest.fixture(autouse=True)
def bystander(operator: OperatorProcess, runs: Callable[[str], Run], node: MakeNode) -> Iterator[Run]:
    """Another rendezvous whose round stands, and must still stand untouched at the end; as must the operator."""
    run = runs("bystander").create(minNodes=1)
    beside = node(1, 1, run_id="bystander")
    meet(beside)
    before = run.get()
    yield run
    assert run.get() == before
    assert not beside.told
    assert operator.running
    assert operator.restarts == 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"port": -1}, "spec.port"),
        ({"port": 65536}, "spec.port"),
        ({"address": "10.0.0.1:80/\n"}, "spec.address must be an IPv4 address"),
        ({"afterRound": -1}, "spec.afterRound"),
        ({"rendezvous": "Not A Name"}, "spec.rendezvous must be the name of a Rendezvous"),
        ({"renewTime": "yesterday"}, "spec.renewTime"),
    ],
)
def test_garbage_in_a_field_is_refused_by_the_api_server(run: Run, fields: dict[str, Any], sentence: str) -> None:
    run.create(minNodes=1)
    with pytest.raises(ApiRefusedError) as refused:
        run.write_member("garbage", **fields)
    assert sentence in refused.value.message


def test_a_member_that_names_another_runs_uid_is_removed_and_the_round_stands(
    run: Run, bystander: Run, node: MakeNode, operator_log: Path
) -> None:
    run.create(minNodes=2, maxNodes=3)
    nodes = [node(), node()]
    meet(*nodes)
    before = run.status
    other = bystander.get()
    assert other is not None
    run.write_member("stranger", rendezvousUID=other.uid)
    eventually(lambda: not run.has_member("stranger"), "the operator removes it")
    sentence = f"RendezvousMember {run.namespace}/stranger deleted: OtherRendezvous"
    eventually(lambda: sentence in operator_log.read_text(), "the operator says why")
    assert run.status == before
    assert not any(one.told for one in nodes)


def test_a_member_that_names_a_run_that_is_not_there_is_removed_and_said(run: Run, operator_log: Path) -> None:
    run.write_member("nobodys")
    eventually(lambda: not run.has_member("nobodys"), "the operator removes it")
    sentence = f"RendezvousMember {run.namespace}/nobodys deleted: RendezvousGone"
    eventually(lambda: sentence in operator_log.read_text(), "the operator says why")


def test_a_member_whose_port_nobody_serves_is_taken_out_when_it_stays_silent_and_the_others_meet_again(
    run: Run, node: MakeNode
) -> None:
    run.create(minNodes=2, heartbeatSeconds=1)
    run.write_member("aaa-dead", port=1, slot="0")
    real = node(slot="1")
    real.join().result(60)
    assert real.places[-1].store.port == 1, "nobody can know yet that the other is none"
    eventually(lambda: real.told, "the real one is told that the other is lost")
    other = node(slot="0")
    await_round([real, other], [real.join(), other.join()])
    assert not run.has_member("aaa-dead")
    run.until_told("HeartbeatLost", "aaa-dead has sent no heartbeat")


def test_a_member_that_asks_for_rounds_far_ahead_is_taken_out_when_it_stays_silent(run: Run, node: MakeNode) -> None:
    run.create(minNodes=2, heartbeatSeconds=1)
    run.write_member("from-the-future", afterRound=9007199254740991)
    agents = [Agent(node()), Agent(node())]
    eventually(lambda: not run.has_member("from-the-future"), "it is removed")
    eventually(lambda: all_run_together(agents), "the real nodes run together")
    assert [agent.error for agent in agents] == [None, None]
