"""Whether the operator's memory is level over many rounds, each with a member that is gone and a new one in its place.

    python -m performance.operator_growth [--rounds 1500] [--members 8] [--output build/operator-growth.json]

On a local control plane of its own, without real handlers, so that there are several rounds a second. Exit status 1 if
it goes on growing after the warm-up.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL, member_manifest
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous.resources.timestamps import format_time
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.operator_process import OperatorProcess
from rendezvous_local.supervised import run_supervised
from soak.counting import resident_mib

WARM_UP_ROUNDS = 500
GROWTH_LIMIT_MIB = 0.3
LIMIT_SECONDS = 60.0
NAMESPACE = "default"
NAME = "growth"
PORT = 29500


def main() -> int:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(prog="performance.operator_growth", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1500, metavar="N", help="default: 1500")
    parser.add_argument("--members", type=int, default=8, metavar="N", help="default: 8")
    parser.add_argument("--output", type=Path, default=Path("build/operator-growth.json"), help="default: %(default)s")
    options = parser.parse_args()
    if options.rounds < 2 * WARM_UP_ROUNDS:
        parser.error(f"--rounds must be {2 * WARM_UP_ROUNDS} at least: the first {WARM_UP_ROUNDS} are the warm-up")
    with (
        tempfile.TemporaryDirectory() as folder,
        ControlPlane() as plane,
        OperatorProcess(_with_crds(plane), log=Path(folder) / "operator.log") as operator,
    ):
        connection = Connection.open(str(plane.kubeconfig))
        sizes = [_resident(operator) for _ in _rounds(connection, options.members, options.rounds)]
        connection.close()
    after = sizes[WARM_UP_ROUNDS:]
    third = len(after) // 3
    figures = {
        "start_mib": sizes[0],
        "first_mib": statistics.median(after[:third]),
        "last_mib": statistics.median(after[-third:]),
    }
    for name, figure in figures.items():
        sys.stdout.write(f"{name:>15}  {figure:.2f}\n")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps({**figures, "rounds": options.rounds, "sizes_mib": sizes[::50]}) + "\n")
    return int(figures["last_mib"] - figures["first_mib"] > GROWTH_LIMIT_MIB)


def _with_crds(plane: ControlPlane) -> Path:
    apply_crds(plane.kubeconfig, CRDS)
    return plane.kubeconfig


def _rounds(connection: Connection, size: int, count: int) -> Iterator[int]:
    """Have rounds formed; yields after each. Nobody sends a heartbeat but with the change that it makes."""
    body: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "Rendezvous",
        "metadata": {"name": NAME},
        "spec": {"minNodes": size, "heartbeatSeconds": 60},
    }
    uid = connection.request("POST", collection_path(RENDEZVOUS_PLURAL, NAMESPACE), body=body)["metadata"]["uid"]
    numbers = itertools.count()
    there = [_join(connection, uid, next(numbers)) for _ in range(size)]
    for formed in range(1, count + 1):
        _wait_for_round(connection, formed)
        yield formed
        connection.request("DELETE", object_path(MEMBER_PLURAL, NAMESPACE, there.pop(0)))
        again = {"afterRound": formed, "renewTime": format_time(datetime.now(UTC))}
        for name in there:
            path = object_path(MEMBER_PLURAL, NAMESPACE, name)
            connection.request("PATCH", path, body={"spec": again}, content_type=MERGE_PATCH)
        there.append(_join(connection, uid, next(numbers)))


def _join(connection: Connection, uid: str, number: int) -> str:
    body = member_manifest(
        name=f"{NAME}-{number}",
        rendezvous=NAME,
        rendezvous_uid=uid,
        address="10.0.0.1",
        port=PORT,
        renew_time=datetime.now(UTC),
    )
    connection.request("POST", collection_path(MEMBER_PLURAL, NAMESPACE), body=body)
    return f"{NAME}-{number}"


def _wait_for_round(connection: Connection, number: int) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    path = object_path(RENDEZVOUS_PLURAL, NAMESPACE, NAME)
    while connection.request("GET", path).get("status", {}).get("round", 0) < number:
        if time.monotonic() > deadline:
            raise SystemExit(f"round {number} was not formed within {LIMIT_SECONDS:.0f} s")
        time.sleep(0.005)


def _resident(operator: OperatorProcess) -> float:
    size = resident_mib(operator.pid) if operator.pid is not None else None
    if size is None or operator.restarts:
        raise SystemExit("the operator ended: there is nothing to compare")
    return size


if __name__ == "__main__":
    run_supervised(main)
