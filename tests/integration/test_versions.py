"""v1alpha1 and v1beta1 are one resource under two names: whichever is served, manifests, nodes and commands work."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import (
    GROUP,
    MEMBER_KIND,
    MEMBER_PLURAL,
    RENDEZVOUS_KIND,
    RENDEZVOUS_PLURAL,
    SLICE_KIND,
    SLICE_PLURAL,
    SPOKEN_VERSIONS,
    member_manifest,
    parse_rendezvous,
)
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous.resources.rendezvous_slice import RendezvousSlice, SliceContent, slice_manifest
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.operator_process import OperatorProcess

FORMER, NEXT = SPOKEN_VERSIONS
COMMAND_SECONDS = 60.0
PAGE = Path(__file__).parents[2] / "docs" / "versions.md"

pytestmark = pytest.mark.core

Define = Callable[..., None]
Shell = Callable[[str], str]


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


@pytest.fixture
def shell(control_plane: ControlPlane, tmp_path: Path) -> Shell:
    """Runs lines that call kubectl, in a shell; all must succeed. What they said."""
    environment = {
        **os.environ,
        "PATH": f"{control_plane.kubectl.parent}:{os.environ['PATH']}",
        "KUBECONFIG": str(control_plane.kubeconfig),
        "KUBECACHEDIR": str(tmp_path / "kubectl-cache"),  # local clusters take turns on a port
        "KUBERC": "off",
    }

    def run(lines: str) -> str:
        return output_of(["bash", "-euo", "pipefail", "-c", lines], environment)

    return run


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
    connection: Connection, define: Define, shell: Shell
) -> None:
    define(SPOKEN_VERSIONS, served=SPOKEN_VERSIONS, stored=FORMER)
    Run(connection, "default", "run").create(minNodes=2)
    before = read(connection, FORMER, "run")

    define(SPOKEN_VERSIONS, served=[NEXT], stored=NEXT)
    shell(documented_migration())
    define([NEXT], served=[NEXT], stored=NEXT)

    after = read(connection, NEXT, "run")
    assert after["metadata"].pop("resourceVersion") != before["metadata"].pop("resourceVersion")  # it was written anew
    assert after == before


def test_what_was_applied_in_the_former_version_is_applied_in_the_next_when_the_former_is_gone(
    connection: Connection, define: Define, shell: Shell
) -> None:
    define(SPOKEN_VERSIONS, served=SPOKEN_VERSIONS, stored=FORMER)
    apply(shell, FORMER, "run", minNodes=2, lastCallSeconds=7)
    run = parse_rendezvous(connection.request("GET", object_path(RENDEZVOUS_PLURAL, "default", "run")))
    status = f"{object_path(RENDEZVOUS_PLURAL, 'default', 'run')}/status"
    connection.request("PATCH", status, body={"status": {"round": 0}}, content_type=MERGE_PATCH)  # as the operator does
    member = member_manifest(
        name="member",
        rendezvous="run",
        rendezvous_uid=run.uid,
        address="127.0.0.1",
        port=1,
        renew_time=datetime.now(UTC),
    )
    connection.request("POST", collection_path(MEMBER_PLURAL, "default"), body=member)
    piece = slice_manifest(run, RendezvousSlice("a" * 10, 1, SliceContent(("member",), (0,))))
    connection.request("POST", collection_path(SLICE_PLURAL, "default"), body=piece)

    define(SPOKEN_VERSIONS, served=[NEXT], stored=NEXT)
    shell(documented_migration())
    define([NEXT], served=[NEXT], stored=NEXT)

    apply(shell, NEXT, "run", minNodes=3)
    spec = read(connection, NEXT, "run")["spec"]
    assert (spec["minNodes"], spec["lastCallSeconds"]) == (3, 30), "what the manifest leaves out is as if never written"
    everything = shell("kubectl get rdzv,rdzvm,rdzvs -A -o json --show-managed-fields")
    assert [item["kind"] for item in json.loads(everything)["items"]] == [RENDEZVOUS_KIND, MEMBER_KIND, SLICE_KIND]
    assert f"{GROUP}/{FORMER}" not in everything, "nor does an owner reference name it: such are not collected"


def documented_migration() -> str:
    """The commands of docs/versions.md that are to be run before the former version goes."""
    section = PAGE.read_text().partition("### Stored objects")[2].partition("\n## ")[0]
    return "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def apply(shell: Shell, version: str, name: str, **spec: Any) -> None:
    """`kubectl apply --server-side` of a Rendezvous, as in a manifest of this version."""
    manifest = {"apiVersion": f"{GROUP}/{version}", "kind": RENDEZVOUS_KIND, "metadata": {"name": name}, "spec": spec}
    shell(f"kubectl apply --server-side -f - <<'END'\n{json.dumps(manifest)}\nEND")


def kubectl_rendezvous(control_plane: ControlPlane, *arguments: str) -> str:
    """What the command says; it must succeed."""
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "COLUMNS": "200"}
    return output_of([sys.executable, "-m", "kubectl_rendezvous", "-n", "default", *arguments], environment)


def output_of(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """What a command says; it must succeed."""
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
