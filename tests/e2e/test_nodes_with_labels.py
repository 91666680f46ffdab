"""Topology and spot nodes: the examples' own pods, placed by the scheduler on fake nodes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.examples import Examples
from e2e.fake_nodes import FakeNodes, FakePods, kwok, only_on
from e2e.running_example import RunningExample
from e2e.site import Site
from rendezvous_local.processes import ChildProcess

LIMIT = 60.0
ZONE, RACK, SPOT = "topology.kubernetes.io/zone", "example.com/rack", "example.com/spot"
CALLED_BACK = "aws-node-termination-handler/spot-itn"


@pytest.fixture(scope="module")
def kubelet(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildProcess]:
    """What plays the kubelet of the fake nodes."""
    with kwok(site, tmp_path_factory.mktemp("kwok")) as child:
        yield child


@pytest.fixture
def nodes(examples: Examples, request: pytest.FixtureRequest) -> Iterator[FakeNodes]:
    """Fake nodes, which end with the test."""
    nodes = FakeNodes(examples.kubectl, str(request.node.name).replace("_", "-")[:40].strip("-"))
    yield nodes
    nodes.delete_all()


def test_neighbouring_ranks_are_neighbouring_nodes(
    examples: Examples, nodes: FakeNodes, kubelet: ChildProcess, tmp_path: Path
) -> None:
    for name, zone, rack in (("1", "b", "b1"), ("2", "a", "a2"), ("3", "b", "b1"), ("4", "a", "a1")):
        nodes.make(name, {ZONE: zone, RACK: rack})
    with examples.start("topology", [only_on(nodes.test)], torch=False) as run:
        inside = FakePods(run.kubectl, kubelet, run.namespace, "topology", tmp_path)
        inside.join(4, LIMIT)
        formed = run.wait_for_round(4, LIMIT)
        assert formed.status.domains == ("a/a1", "a/a2", "b/b1", "b/b1")
        end(run, inside)


def test_rank_zero_keeps_off_spot_nodes_and_a_spare_replaces_one_that_is_called_back(
    examples: Examples, nodes: FakeNodes, kubelet: ChildProcess, tmp_path: Path
) -> None:
    spot = [nodes.make(f"spot-{number}", {SPOT: "true"}) for number in (1, 2, 3)]
    steady = nodes.make("steady", {})
    with examples.start("spot-nodes", [only_on(nodes.test)], torch=False) as run:
        inside = FakePods(run.kubectl, kubelet, run.namespace, "spot-nodes", tmp_path)
        inside.join(4, LIMIT)
        first = run.wait(
            "round of three with a spare", lambda it: it.status.round > 0 and it.status.standby == 1, LIMIT
        )
        assert first.status.world_size == 3
        node_of = {member.name: member.identity.node_name for member in inside.members}
        where = [node_of[name] for name in first.status.ranks]
        if steady in where:
            assert where[0] == steady
        called_back = next(node for node in where if node in spot)
        nodes.taint(called_back, CALLED_BACK)
        told = run.wait_until_told(first.status.round, LIMIT)
        why = told.status.forming
        assert why is None or why.reason == "NodeDraining"
        for member in inside.members:
            if member.wait_until_told(LIMIT if member.name in first.status.ranks else 0.0):
                member.join()
        second = run.wait_for_round(3, LIMIT, after=first.status.round)
        nodes_now = [node_of[name] for name in second.status.ranks if name in node_of]
        assert called_back not in nodes_now
        assert nodes_now[0] == steady
        end(run, inside)


def end(run: RunningExample, inside: FakePods) -> None:
    """Close it, so that nobody waits, and end the members."""
    run.kubectl(
        *("-n", run.namespace, "patch", "rdzv", run.name, "--type=merge", "-p", '{"spec": {"closed": true}}'),
    )
    inside.fall_silent()
