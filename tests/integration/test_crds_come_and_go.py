"""The custom resource definitions are deleted, replaced or brought back while the operator runs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.cluster import ApiFailureError, Connection
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.operator_process import OperatorProcess

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RENDEZVOUS, MEMBERS = "rendezvous.rendezvous.dev", "rendezvousmembers.rendezvous.dev"
SOON_SECONDS = 40.0


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    """One of its own: others need their definitions."""
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture
def connection(control_plane: ControlPlane) -> Iterator[Connection]:
    """Of somebody with every right, where the definitions are installed."""
    apply_crds(control_plane.kubeconfig)
    connection = Connection.open(str(control_plane.kubeconfig))
    yield connection
    connection.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the operator writes."""
    return tmp_path / "operator.log"


@pytest.fixture
def operator(control_plane: ControlPlane, connection: Connection, log: Path) -> Iterator[OperatorProcess]:
    """A running operator."""
    with OperatorProcess(control_plane.kubeconfig, log=log) as operator:
        yield operator


def delete(connection: Connection, *names: str) -> None:
    """Delete definitions, with everything that they define."""
    for name in names:
        connection.request("DELETE", f"{DEFINITIONS}/{name}")
    for name in names:
        eventually(lambda name=name: not there(connection, name), f"{name} is gone", SOON_SECONDS)  # type: ignore[misc]


def there(connection: Connection, name: str) -> bool:
    try:
        connection.request("GET", f"{DEFINITIONS}/{name}")
    except ApiFailureError as failure:
        if failure.status == 404:
            return False
        raise
    return True


def a_round_is_formed(control_plane: ControlPlane, connection: Connection, name: str) -> None:
    run = Run(connection, "default", name).create(minNodes=2)
    nodes = [
        Node(control_plane.kubeconfig, "default", name, 2, 2, slot=slot, join_timeout=60, close_timeout=10)
        for slot in ("0", "1")
    ]
    try:
        meet(*nodes)
        assert run.status.round == 1
    finally:
        for one in nodes:
            one.handler.shutdown()
            one.connection.close()


def is_ready(operator: OperatorProcess) -> bool:
    return operator.page("/readyz").startswith("ready")


def says(operator: OperatorProcess, *words: str) -> Callable[[], bool]:
    return lambda: all(word in operator.page("/readyz") for word in words)


def assert_it_lived_on(operator: OperatorProcess, pid: int | None, log: Path) -> None:
    assert operator.restarts == 0, log.read_text()[-3000:]
    assert operator.pid == pid
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("gone", [(RENDEZVOUS, MEMBERS), (RENDEZVOUS,), (MEMBERS,)], ids=["both", "runs", "members"])
def test_while_they_are_gone_the_operator_says_so_and_is_not_ready_and_it_goes_on_when_they_are_back(
    gone: tuple[str, ...], control_plane: ControlPlane, connection: Connection, operator: OperatorProcess, log: Path
) -> None:
    pid = operator.pid
    a_round_is_formed(control_plane, connection, "before")
    delete(connection, *gone)
    for name in gone:
        kind = "Rendezvous " if name == RENDEZVOUS else "RendezvousMembers "
        eventually(says(operator, f"the {kind}of the cluster"), "it is not ready", SOON_SECONDS)
    assert operator.page("/livez") == "alive\n"
    assert "are the CRDs installed" in log.read_text()
    apply_crds(control_plane.kubeconfig)
    eventually(lambda: is_ready(operator), "it is ready again", SOON_SECONDS)
    a_round_is_formed(control_plane, connection, "after")
    assert_it_lived_on(operator, pid, log)
    for name in ("before", "after"):
        run = Run(connection, "default", name)
        if run.get() is not None:
            run.delete()


def test_they_are_replaced_in_one_go(
    control_plane: ControlPlane, connection: Connection, operator: OperatorProcess, log: Path
) -> None:
    """As `kubectl replace --force` does it: what was there is gone, and the same names come again."""
    pid = operator.pid
    a_round_is_formed(control_plane, connection, "run")
    delete(connection, RENDEZVOUS, MEMBERS)
    apply_crds(control_plane.kubeconfig)
    eventually(lambda: is_ready(operator), "it is ready", SOON_SECONDS)
    a_round_is_formed(control_plane, connection, "run")
    Run(connection, "default", "run").delete()
    assert_it_lived_on(operator, pid, log)


def test_an_operator_that_starts_with_half_of_them_waits_for_the_other_half(
    control_plane: ControlPlane, connection: Connection, operator: OperatorProcess, log: Path
) -> None:
    delete(connection, RENDEZVOUS)
    operator.crash()
    eventually(says(operator, "the Rendezvous of the cluster are not listed"), "it is not ready", SOON_SECONDS)
    definition = yaml.safe_load((CRDS / "rendezvous.yaml").read_text())
    connection.request("POST", DEFINITIONS, body=definition)
    eventually(lambda: is_ready(operator), "it is ready", SOON_SECONDS)
    a_round_is_formed(control_plane, connection, "half")
    assert operator.restarts == 1
    assert "Traceback" not in log.read_text()
