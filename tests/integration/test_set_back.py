"""The API server's storage is restored from a backup: what was written since is forgotten, and versions begin lower.

Whoever restores one is told to restart the controllers, and does or forgets it; nobody restarts the nodes that train.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.handlers.agents import Agent, all_run_together
from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node
from integration.handlers.runs import Run
from kube_rendezvous.cluster import Connection
from kube_rendezvous_operator.shell.service import STORAGE_SET_BACK
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import apply_crds
from rendezvous_local.operator_process import OperatorProcess

pytestmark = pytest.mark.timeout(400)

WRITES = 150
"""Between the backup and the end: the versions of the storage that is set back must not catch up by chance."""
HEARTBEAT_SECONDS = 1
SOON_SECONDS = 90.0


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture
def connection(control_plane: ControlPlane) -> Iterator[Connection]:
    apply_crds(control_plane.kubeconfig)
    connection = Connection.open(str(control_plane.kubeconfig))
    yield connection
    connection.close()


@pytest.fixture
def operator(control_plane: ControlPlane, connection: Connection, tmp_path: Path) -> Iterator[OperatorProcess]:
    with OperatorProcess(control_plane.kubeconfig, log=tmp_path / "operator.log") as operator:
        yield operator


def stop(control_plane: ControlPlane) -> Path:
    control_plane.stop_api_server(kill=True)
    control_plane.stop_etcd(kill=True)
    return control_plane.folder / "etcd"


def start(control_plane: ControlPlane) -> None:
    control_plane.start_etcd()
    control_plane.start_api_server()


@pytest.mark.parametrize("somebody_restarts_the_operator", [True, False])
def test_who_trains_in_a_round_that_is_not_known_any_more_is_told_and_meets_the_others(
    control_plane: ControlPlane,
    connection: Connection,
    operator: OperatorProcess,
    tmp_path: Path,
    somebody_restarts_the_operator: bool,
) -> None:
    run = Run(connection, "default", "run").create(minNodes=2, maxNodes=3, heartbeatSeconds=HEARTBEAT_SECONDS)
    nodes = [
        Node(control_plane.kubeconfig, "default", "run", 2, 3, slot=str(slot), join_timeout=120, close_timeout=10)
        for slot in range(3)
    ]
    try:
        agents = [Agent(node) for node in nodes[:2]]
        eventually(lambda: all_run_together(agents), "the first round stands")

        data = stop(control_plane)
        shutil.copytree(data, tmp_path / "backup")
        start(control_plane)

        agents.append(Agent(nodes[2]))
        eventually(lambda: all_run_together(agents), "a larger round stands", SOON_SECONDS)
        last = nodes[0].round
        assert last == run.status.round > 1
        for number in range(WRITES):
            run.change(lastCallSeconds=number % 2)

        stop(control_plane)
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "backup", data)
        if somebody_restarts_the_operator:
            operator.stop()
        start(control_plane)
        if somebody_restarts_the_operator:
            operator.start()

        eventually(
            lambda: all_run_together(agents) and nodes[0].round > last, "all run in a round that is known", SOON_SECONDS
        )
        assert len(run.status.ranks) == 3
        for node in nodes:
            rounds = [place.round for place in node.places]
            assert rounds == sorted(set(rounds)), "no node sees a number twice"
        assert operator.exit_codes == ([] if somebody_restarts_the_operator else [STORAGE_SET_BACK])
        stores = {(node.places[-1].store.address, node.places[-1].store.port) for node in nodes}
        assert len(stores) == 1
    finally:
        for node in nodes:
            node.over.set()
        run.change(closed=True)
        for node in nodes:
            node.wait_for_threads(10)
            node.fall_silent()
            node.connection.close()


def test_a_leader_that_has_nothing_to_do_finds_out_by_its_lease(
    control_plane: ControlPlane, connection: Connection, tmp_path: Path
) -> None:
    leading = ["--leader-elect", "--lease-namespace=default", "--lease-seconds=6"]
    with OperatorProcess(control_plane.kubeconfig, log=tmp_path / "operator.log", arguments=leading) as operator:
        before = Run(connection, "default", "before").create(minNodes=1, maxNodes=1)
        before.until(lambda status: bool(status.state), "the leader is at work")
        before.delete()
        data = stop(control_plane)
        shutil.copytree(data, tmp_path / "backup")
        start(control_plane)
        since = Run(connection, "default", "since").create(minNodes=1, maxNodes=1)
        for number in range(WRITES):
            since.change(lastCallSeconds=number % 2)
        since.delete()

        stop(control_plane)
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "backup", data)
        start(control_plane)

        eventually(lambda: operator.exit_codes == [STORAGE_SET_BACK], "the operator begins anew", SOON_SECONDS)
        later = Run(connection, "default", "later").create(minNodes=1, maxNodes=1)
        later.until(lambda status: bool(status.state), "one that is made afterwards is seen")
