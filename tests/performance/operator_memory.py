"""How large the operator is: idle, standing by, and with 100 rendezvous of 8 members.

    python -m performance.operator_memory [--rendezvous 100] [--members 8] [--output build/operator-memory.json]

Resident memory as the operator's own metrics say it, on a local control plane of its own. Exit status 1 if it is above
the limits.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL, member_manifest
from kube_rendezvous.resources.names import collection_path
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.operator_process import OperatorProcess
from rendezvous_local.supervised import run_supervised

IDLE_LIMIT_MB = 120.0
LOADED_LIMIT_MB = 150.0
LIMIT_SECONDS = 120.0
SETTLE_SAMPLES = 20
NAMESPACE = "default"


def main() -> int:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(prog="performance.operator_memory", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rendezvous", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--members", type=int, default=8, metavar="N", help="of each (default: 8)")
    parser.add_argument("--output", type=Path, default=Path("build/operator-memory.json"), help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ControlPlane() as plane:
        apply_crds(plane.kubeconfig, CRDS)
        election = ["--leader-elect", "--lease-namespace", NAMESPACE]
        with (
            OperatorProcess(plane.kubeconfig, log=Path(folder) / "leader.log", arguments=election) as leader,
            OperatorProcess(plane.kubeconfig, log=Path(folder) / "standby.log", arguments=election) as standby,
        ):
            figures = {"idle": _megabytes(leader), "standby": _megabytes(standby)}
            connection = Connection.open(str(plane.kubeconfig))
            began = time.monotonic()
            _create(connection, options.rendezvous, options.members)
            wanted = options.rendezvous * options.members
            _until(lambda: _sample(leader, 'kube_rendezvous_members{state="ranked"}') == wanted)
            figures["formed_seconds"] = round(time.monotonic() - began, 1)
            figures["loaded"] = _megabytes(leader)
            connection.close()
    for name, figure in figures.items():
        sys.stdout.write(f"{name:>15}  {figure:.1f}\n")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(figures, indent=2) + "\n")
    return int(max(figures["idle"], figures["standby"]) > IDLE_LIMIT_MB or figures["loaded"] > LOADED_LIMIT_MB)


def _create(connection: Connection, count: int, members: int) -> None:
    """Objects only: nobody sends a heartbeat, whose interval is therefore the longest that there is."""

    def one(number: int) -> None:
        name = f"run-{number}"
        created = connection.request(
            "POST",
            collection_path(RENDEZVOUS_PLURAL, NAMESPACE),
            body={
                "apiVersion": API_VERSION,
                "kind": "Rendezvous",
                "metadata": {"name": name},
                "spec": {"minNodes": members, "heartbeatSeconds": 60},
            },
        )
        for index in range(members):
            body = member_manifest(
                name=f"{name}-{index}",
                rendezvous=name,
                rendezvous_uid=created["metadata"]["uid"],
                address="10.0.0.1",
                port=29500,
                renew_time=datetime.now(UTC),
            )
            connection.request("POST", collection_path(MEMBER_PLURAL, NAMESPACE), body=body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(count)))


def _megabytes(operator: OperatorProcess) -> float:
    """The largest of some samples, in MB."""
    sizes = []
    for _ in range(SETTLE_SAMPLES):
        sizes.append(_sample(operator, "process_resident_memory_bytes") / 1e6)
        time.sleep(0.1)
    return max(sizes)


def _sample(operator: OperatorProcess, series: str) -> float:
    for line in operator.page("/metrics").splitlines():
        name, _, value = line.rpartition(" ")
        if name == series:
            return float(value)
    return 0.0


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit("the operator did not form all rounds in time")
        time.sleep(0.1)


if __name__ == "__main__":
    run_supervised(main)
