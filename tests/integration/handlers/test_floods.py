"""Somebody floods a namespace with what its rights allow: deaths are told all the same, there and elsewhere."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integration.conftest import Kubectl, empty
from integration.handlers.attacks import DEATHS, FLOOD_SECONDS, FULL, LARGE_OBJECTS, Flood
from integration.handlers.eventually import eventually
from integration.handlers.flooder import RUN
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL, member_manifest
from kube_rendezvous.resources.names import collection_path
from rendezvous_local.operator_process import OperatorProcess

MakeNode = Callable[..., Node]
pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(600)]

# In `make test` four processes share the machine with the flood: there it shows whether deaths are told at all.
SAME_NAMESPACE_SECONDS, OTHER_NAMESPACE_SECONDS = (2.0, 0.5) if FULL else (15.0, 10.0)
CHARTS_LIMIT_BYTES = 256 << 20


@pytest.fixture(autouse=True)
def watched() -> None:
    """Nobody keeps every version of everything while there is a flood."""


@pytest.fixture
def elsewhere(kubectl: Kubectl, anybody: Connection) -> Iterator[str]:
    """Another namespace, whose runs are nobody's business."""
    manifest = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "elsewhere-"}}'
    name = kubectl("create", "-f", "-", "-o", "jsonpath={.metadata.name}", stdin=manifest).stdout
    yield name
    empty(kubectl, name)


def stranger(name: str, rendezvous: str) -> dict[str, Any]:
    return member_manifest(
        name=name,
        rendezvous=rendezvous,
        rendezvous_uid="of-another",
        address="10.0.0.1",
        port=29500,
        renew_time=datetime.now(UTC),
    )


@pytest.fixture
def trainer(account: Callable[..., Path]) -> Path:
    """A kubeconfig with a trainer's rights: the flood's, and of the nodes of its namespace, which share its lot."""
    return account(rendezvous="get,list,watch", rendezvousmembers="create,get,patch,delete")


@pytest.fixture(params=["POST", "PATCH", "NOWHERE", "MANY"])
def flood(request: pytest.FixtureRequest, namespace: str, trainer: Path, runs: Callable[[str], Run]) -> Flood:
    """What a trainer's token can do as fast as it can."""
    runs(RUN).create(minNodes=1)
    return Flood(trainer, namespace, request.param)


def seconds_until_told(run: Run, nodes: list[Node]) -> float:
    """How long after the death of one of two nodes the other is told."""
    run.create(minNodes=2)
    lost, other = nodes
    meet(lost, other, seconds=60)
    member = run.member_in(lost.slot)
    assert member is not None
    lost.fall_silent()
    began = time.monotonic()
    run.delete_member(member.name)
    eventually(lambda: other.told, "the other is told", 60)
    took = time.monotonic() - began
    run.change(closed=True)
    return took


def test_a_death_is_told_while_somebody_floods_the_namespace(
    flood: Flood,
    trainer: Path,
    namespace: str,
    elsewhere: str,
    operator: OperatorProcess,
    anybody: Connection,
    node: MakeNode,
    request: pytest.FixtureRequest,
) -> None:
    here: list[float] = []
    there: list[float] = []
    with flood:
        eventually(lambda: flood.times > 50, "the flood is on", 60)
        while flood.seconds < FLOOD_SECONDS or len(there) < DEATHS:
            name = f"run-{len(there)}"
            members = [node(2, 2, run_id=name, namespace=namespace, kubeconfig=trainer) for _ in range(2)]
            here.append(seconds_until_told(Run(anybody, namespace, name), members))
            members = [node(2, 2, run_id=name, namespace=elsewhere) for _ in range(2)]
            there.append(seconds_until_told(Run(anybody, elsewhere, name), members))
        rate = flood.times / flood.seconds
        elsewheres = Run(anybody, elsewhere, f"run-{len(there) - 1}").status.heartbeat_seconds
    figures = f"same namespace {_worded(here)}, another {_worded(there)}"
    size = resident_bytes(operator)
    sys.stdout.write(
        f"\n{request.node.name}: {rate:.0f} requests a second for {flood.seconds:.0f} s; a death was told after "
        f"{figures}; heartbeats elsewhere every {elsewheres} s; the operator has {size >> 20} MB\n"
    )
    assert statistics.median(here) < SAME_NAMESPACE_SECONDS, here
    assert statistics.median(there) < OTHER_NAMESPACE_SECONDS, there
    assert elsewheres <= 2 * 5
    assert size < CHARTS_LIMIT_BYTES


def _worded(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.3f} s (median of {len(seconds)}, longest {max(seconds):.3f})"


def test_the_operators_memory_does_not_follow_what_others_write(
    operator: OperatorProcess, namespace: str, anybody: Connection
) -> None:
    labels = {f"label-{number:05}-{'x' * 50}": "y" * 63 for number in range(8000)}

    def create(number: int) -> None:
        metadata = {"name": f"large-{number}", "labels": labels}
        body = {"apiVersion": API_VERSION, "kind": "Rendezvous", "metadata": metadata, "spec": {"minNodes": 2}}
        anybody.request("POST", collection_path(RENDEZVOUS_PLURAL, namespace), body=body, timeout=120)
        manifest = stranger(f"large-{number}", "nobodys-large")
        manifest["metadata"]["labels"] = labels
        anybody.request("POST", collection_path(MEMBER_PLURAL, namespace), body=manifest, timeout=120)

    with ThreadPoolExecutor(1) as pool:
        list(pool.map(create, range(LARGE_OBJECTS)))
    observed = [Run(anybody, namespace, f"large-{number}") for number in range(LARGE_OBJECTS)]
    eventually(lambda: all(run.status.observed_generation for run in observed), "all are observed", 200)
    operator.crash()
    operator.wait_until_ready()
    operator.exit_codes.clear()
    first = observed[0]
    first.change(minNodes=3)
    first.until(lambda status: status.conditions and status.conditions[0].observed_generation == 2, "it works", 60)
    size = resident_bytes(operator)
    sys.stdout.write(f"\n{2 * LARGE_OBJECTS} objects of a megabyte: the operator has {size >> 20} MB\n")
    assert size < CHARTS_LIMIT_BYTES


def resident_bytes(operator: OperatorProcess) -> int:
    for line in operator.page("/metrics").splitlines():
        name, _, value = line.rpartition(" ")
        if name == "process_resident_memory_bytes":
            return int(float(value))
    raise AssertionError("no metrics")
