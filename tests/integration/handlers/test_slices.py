"""A large round is named in slices: members find themselves there, whatever dies between two writes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.resources.rendezvous_slice import digests_in
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

MakeNode = Callable[..., Node]

TESTS = Path(__file__).resolve().parents[2]
NODES = 5
SMALL = ("--slices-above=2", "--slice-names=2", "--rank-keys-up-to=0")
WRITES_OF_A_ROUND = 9
"""Four slices, one for the history, the status, what is removed, and the status again when the spec was changed."""


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After how many writes the next operators die."""
    file = tmp_path_factory.mktemp("deaths") / "deaths"
    file.write_text("")
    return file


@pytest.fixture(scope="module")
def mortal(cluster: Cluster, deaths: Path, operator_log: Path) -> Iterator[OperatorProcess]:
    """An operator for which five members are many."""
    module, environment = "integration.handlers.operator_that_dies", {"DEATHS": str(deaths), "PYTHONPATH": str(TESTS)}
    with OperatorProcess(
        cluster.kubeconfig, log=operator_log, arguments=SMALL, module=module, environment=environment
    ) as operator:
        yield operator


def stands(run: Run, node: MakeNode) -> list[Node]:
    """A round of five."""
    run.create(minNodes=NODES, maxNodes=NODES, lastCallSeconds=1)
    nodes = [node(NODES, NODES, run_id=run.name) for _ in range(NODES)]
    meet(*nodes)
    run.change_and_wait(minNodes=NODES - 1)
    return nodes


def lose_one(run: Run, nodes: list[Node]) -> list[Node]:
    """The others, who are told."""
    lost, *others = nodes
    member = run.member_in(lost.slot)
    assert member is not None
    lost.fall_silent()
    run.delete_member(member.name)
    eventually(lambda: all(one.told for one in others), "the others are told")
    return others


@pytest.mark.usefixtures("mortal")
def test_members_find_their_ranks_in_slices_and_what_is_over_is_removed(run: Run, node: MakeNode) -> None:
    nodes = stands(run, node)
    first = run.status
    assert first.sliced is not None
    assert len(first.sliced.members) == 4
    reads = [[asked.path for asked in one.requests if "rendezvousslices" in asked.path] for one in nodes]
    assert [len(paths) for paths in reads] == [1] * NODES, "each reads the one that holds it"
    others = lose_one(run, nodes)
    meet(*others)
    second = run.status
    assert (second.round, second.world_size) == (2, NODES - 1)
    assert {one.name for one in run.members()} == set(second.ranks)
    assert [past.round for past in second.history] == [2, 1]


@pytest.mark.usefixtures("mortal")
def test_who_sees_a_round_sees_all_of_it_and_nothing_is_left_behind(run: Run, node: MakeNode) -> None:
    nodes = stands(run, node)
    while len(nodes) > 3:
        run.change(minNodes=len(nodes) - 1)
        older = digests_in(run.status)
        nodes = lose_one(run, nodes)
        meet(*nodes)
        newest = digests_in(run.status)
        eventually(lambda newest=newest, older=older: run.slices() <= newest | older, "older slices are removed")


@pytest.mark.usefixtures("mortal")
def test_a_slice_that_somebody_deletes_is_made_again_and_nobody_is_told_to_stop(run: Run, node: MakeNode) -> None:
    nodes = stands(run, node)
    before = run.status
    assert before.sliced is not None
    for lost in (*before.sliced.members, before.sliced.history):
        run.delete_slice(lost)
        eventually(lambda lost=lost: lost not in digests_in(run.status), "the status points elsewhere")
    after = run.status
    assert digests_in(after) <= run.slices()
    assert (after.round, after.ranks, after.forming) == (before.round, before.ranks, None)
    assert not any(one.told for one in nodes)


@pytest.mark.parametrize("writes", range(1, WRITES_OF_A_ROUND + 1))
def test_an_operator_that_dies_after_any_write_leaves_a_round_that_stands(
    writes: int, run: Run, node: MakeNode, mortal: OperatorProcess, deaths: Path
) -> None:
    deaths.write_text(f"{writes}\n{writes}")
    mortal.crash()
    mortal.wait_until_ready()
    lives = mortal.restarts
    nodes = stands(run, node)
    before = run.status
    assert sorted(before.ranks) == sorted(member.name for member in run.members())
    others = lose_one(run, nodes)
    meet(*others)
    eventually(lambda: run.status.round > before.round, "the next round")
    assert mortal.restarts > lives, "it died"
    assert run.slices() >= digests_in(run.status)
