"""The operator and the API server may go away at any time: no training stops for that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.torchrun.job import SILENCE_SECONDS
from integration.torchrun.jobs import Jobs, Site
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.operator_process import OperatorProcess

OUTAGE_SECONDS = 60.0
FREEZE_SECONDS = 7.0
LONGER_THAN_SILENCE = SILENCE_SECONDS + 1.0


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    """One of the test's own: nobody else is to suffer from its outages, and no other operator is to help."""
    with ControlPlane() as control_plane:
        apply_crds(control_plane.kubeconfig, CRDS)
        yield control_plane


@pytest.fixture
def operator(control_plane: ControlPlane, tmp_path: Path) -> Iterator[OperatorProcess]:
    with OperatorProcess(control_plane.kubeconfig, log=tmp_path / "operator.log") as operator:
        yield operator


@pytest.fixture
def site(control_plane: ControlPlane, operator: OperatorProcess, tmp_path: Path) -> Site:
    return Site(control_plane.kubeconfig, "default", tmp_path / "operator.log")


def test_no_outage_of_the_operator_or_of_the_api_server_stops_the_training(
    jobs: Jobs, operator: OperatorProcess, control_plane: ControlPlane
) -> None:
    job = jobs(minNodes=4, maxNodes=5, lastCallSeconds=6)

    # The operator is killed in the last call for the first round: the next one keeps to the deadline.
    job.start("node-0", "node-1", "node-2", "node-3")
    forming = job.wait_until("last call", lambda it: bool(it.status.forming and it.status.forming.deadline))
    operator.kill()
    assert job.rendezvous.status.round == 0
    operator.start()
    first = job.wait_for_round(1, ["node-0", "node-1", "node-2", "node-3"])
    assert forming.status.forming is not None
    deadline = forming.status.forming.deadline
    assert deadline is not None
    assert {
        version.status.forming.deadline
        for version in job.versions
        if version.status.forming and version.status.forming.deadline
    } == {deadline}
    assert first.past.formed_at >= deadline
    assert [len(node.starts) for node in job.nodes.values()] == [1, 1, 1, 1]

    # It is killed while the round runs, and stays away for longer than any member may be silent.
    operator.kill()
    job.wait_for_heartbeats(LONGER_THAN_SILENCE)
    operator.start()
    job.wait_for_heartbeats(LONGER_THAN_SILENCE)
    job.assert_undisturbed(first)

    # The API server is away for a minute: nobody can send a heartbeat, and nobody is lost.
    control_plane.stop_api_server()
    job.stays_undisturbed(first, OUTAGE_SECONDS)
    control_plane.start_api_server()
    job.wait_for_heartbeats(LONGER_THAN_SILENCE)
    job.assert_undisturbed(first)

    # While the operator is away a node dies; the next operator finds out, and is killed while the round forms anew.
    operator.kill()
    job.nodes["node-2"].kill()
    operator.start()
    job.wait_until("word for the survivors", lambda it: bool(it.status.forming and it.status.forming.interrupts))
    operator.kill()
    assert job.rendezvous.status.round == 1
    job.start("node-4")
    job.wait_for_arrivals("node-0", "node-1", "node-3", "node-4")
    operator.start()
    second = job.wait_for_round(2, ["node-0", "node-1", "node-3", "node-4"])
    assert second.nodes == ("node-0", "node-1", "node-4", "node-3")
    assert second.past.reason == "HeartbeatLost"

    job.finish()
    assert set(job.exit_statuses("node-0", "node-1", "node-3", "node-4").values()) == {0}
    assert operator.restarts == 0


def test_an_api_server_that_freezes_or_loses_its_etcd_stops_no_training(
    jobs: Jobs, operator: OperatorProcess, control_plane: ControlPlane
) -> None:
    job = jobs(minNodes=2, maxNodes=2)
    job.start("node-0", "node-1")
    first = job.wait_for_round(1, ["node-0", "node-1"])

    # Longer than a member may be silent, and shorter than a request waits for its answer.
    control_plane.pause_api_server()
    job.stays_undisturbed(first, FREEZE_SECONDS)
    control_plane.resume_api_server()
    job.wait_for_heartbeats(LONGER_THAN_SILENCE)
    job.assert_undisturbed(first)

    control_plane.stop_etcd(kill=True)
    job.stays_undisturbed(first, FREEZE_SECONDS)
    control_plane.start_etcd()
    job.wait_for_heartbeats(LONGER_THAN_SILENCE)
    job.assert_undisturbed(first)

    job.finish()
    assert set(job.exit_statuses("node-0", "node-1").values()) == {0}
    assert operator.restarts == 0
