"""v1alpha1 and v1beta1 are one resource under two names: whichever is served, manifests, nodes and commands work."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import GROUP, RENDEZVOUS_PLURAL, SPOKEN_VERSIONS
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.operator_process import OperatorProcess

FORMER, NEXT = SPOKEN_VERSIONS
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
COMMAND_SECONDS = 60.0

pytestmark = pytest.mark.core

Define = Callable[..., None]


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    """One of its own: others need their definitions."""
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture
def connection(control_plane: ControlPlane) -> Iterator[Connection]:
    """Of somebody with every right."""
    connection = Connection.open(str(control_plane.kubeconfig))
    yield connection
    connection.close()


@pytest.fixture
def define(control_plane: ControlPlane, tmp_path: Path) -> Define:
    """``define(versions, served=…, stored=…)``: applies our definitions with only these versions."""

    def apply(versions: Sequence[str], *, served: Sequence[str], stored: str) -> None:
        folder = tmp_path / "crds"
        folder.mkdir(exist_ok=True)
        for file in CRDS.glob("*.yaml"):
            crd = yaml.safe_load(file.read_text())
            crd["spec"]["versions"] = [
                {**version, "served": version["name"] in served, "storage": version["name"] == stored}
                for version in crd["spec"]["versions"]
                if version["name"] in versions
            ]
            (folder / file.name).write_text(json.dumps(crd))
        apply_crds(control_plane.kubeconfig, folder)

    return apply


def read(connection: Connection, version: str, name: str) -> dict[str, Any]:
    """An object as that version shows it, without what differs: the version's name, and who wrote in which."""
    path = f"/apis/{GROUP}/{version}/namespaces/default/{RENDEZVOUS_PLURAL}/{name}"
    found = connection.request("GET", path)
    assert found.pop("apiVersion") == f"{GROUP}/{version}"
    found["metadata"].pop("managedFields", None)
    return found


@pytest.mark.parametrize("version", SPOKEN_VERSIONS)
def test_a_manifest_of_either_version_is_the_same_object_in_both(
    control_plane: ControlPlane, connection: Connection, version: str
) -> None:
    apply_crds(control_plane.kubeconfig)
    body = {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "Rendezvous",
        "metadata": {"name": "run"},
        "spec": {"minNodes": 2},
    }
    connection.request("POST", f"/apis/{GROUP}/{version}/namespaces/default/{RENDEZVOUS_PLURAL}", body=body)
    one, other = (read(connection, name, "run") for name in SPOKEN_VERSIONS)
    assert one == other
    assert one["spec"]["minNodes"] == 2


@pytest.mark.parametrize("served", [[FORMER], [NEXT], [FORMER, NEXT]], ids=" and ".join)
def test_nodes_operator_and_commands_speak_what_is_served(
    control_plane: ControlPlane, connection: Connection, define: Define, served: list[str]
) -> None:
    # As in definitions that are older than the second version, and as in those that no longer serve the first.
    define([FORMER] if served == [FORMER] else SPOKEN_VERSIONS, served=served, stored=FORMER)
    with OperatorProcess(control_plane.kubeconfig) as operator:
        run = Run(connection, "default", "run").create(minNodes=2)
        nodes = [
            Node(control_plane.kubeconfig, "default", "run", 2, 2, slot=slot, join_timeout=60, close_timeout=10)
            for slot in ("0", "1")
        ]
        try:
            meet(*nodes)
            assert run.status.round == 1
            assert operator.restarts == 0
            shown = kubectl_rendezvous(control_plane, "list")
            assert shown.splitlines()[1].split()[:4] == ["run", "Active", "1", "2"]
            assert "FirstRound" in kubectl_rendezvous(control_plane, "history", "run")
        finally:
            for one in nodes:
                one.handler.shutdown()


def test_stored_objects_migrate_to_the_next_version_and_the_former_can_go(
    control_plane: ControlPlane, connection: Connection, define: Define
) -> None:
    apply_crds(control_plane.kubeconfig)
    Run(connection, "default", "run").create(minNodes=2)
    before = read(connection, FORMER, "run")

    # As docs/versions.md describes it: store the next, write each object once, say that nothing of the former is left.
    define(SPOKEN_VERSIONS, served=SPOKEN_VERSIONS, stored=NEXT)
    path = f"/apis/{GROUP}/{NEXT}/namespaces/default/{RENDEZVOUS_PLURAL}/run"
    connection.request("PATCH", path, body={}, content_type=MERGE_PATCH)
    for file in CRDS.glob("*.yaml"):
        name = yaml.safe_load(file.read_text())["metadata"]["name"]
        connection.request(
            "PATCH",
            f"{DEFINITIONS}/{name}/status",
            body={"status": {"storedVersions": [NEXT]}},
            content_type=MERGE_PATCH,
        )
    define([NEXT], served=[NEXT], stored=NEXT)

    after = read(connection, NEXT, "run")
    assert after["metadata"].pop("resourceVersion") != before["metadata"].pop("resourceVersion")  # it was written anew
    assert after == before


def kubectl_rendezvous(control_plane: ControlPlane, *arguments: str) -> str:
    """What the command says; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "kubectl_rendezvous", "-n", "default", *arguments],
        env={**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
