"""How time, bytes and CPU grow with the number of members of one rendezvous: it forms, loses one, forms again.

python -m performance.scale [--nodes 64 256] [--processes 4] [--client FOLDER] [--light]
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path, object_path
from performance.fleet import Fleet, cpu_seconds, fleet, resident_bytes
from performance.local_site import Site, site

SETTLED_SECONDS = 2.5
"""Pause after the Rendezvous is made: in a cluster, pods need longer to start."""


@dataclass(frozen=True)
class Cost:
    """Of one thing that the whole fleet did, a member: seconds of CPU, bytes (with TLS), requests."""

    client_cpu: float
    server_cpu: float
    requests: float
    read: float
    written: float


@dataclass(frozen=True)
class Measured:
    """One rendezvous. Times in seconds.

    Args:
        nodes: how many members.
        storm: from the first `next_rendezvous` until all have returned.
        told: from the deletion of one Member until all are told.
        again: from the deletion until all have joined again.
        join, rejoin: what it cost.
        server_rss: memory of the API server afterwards, bytes.
    """

    nodes: int
    storm: float
    told: float
    again: float
    join: Cost
    rejoin: Cost
    server_rss: int


def measure(where: Site, nodes: int, processes: int, client: Path | None, module: str, name: str) -> Measured:
    """Form a rendezvous of so many members, delete one Member, let all join again.

    Args:
        where: the control plane.
        nodes: members.
        processes: that play them.
        client: see `fleet`.
        module: see `fleet`.
        name: of the Rendezvous, a new one.
    """
    body = {
        "apiVersion": API_VERSION,
        "kind": "Rendezvous",
        "metadata": {"name": name},
        "spec": {"minNodes": nodes, "maxNodes": nodes, "heartbeatSeconds": 30},
    }
    path = collection_path(RENDEZVOUS_PLURAL, where.namespace)
    with fleet(where.kubeconfig, nodes, processes, client, module) as members:
        members.prepare(where.namespace, name)
        where.connection.request("POST", path, body=body)
        time.sleep(SETTLED_SECONDS)
        storm, names, join = _storm(where, members, nodes)
        told, again, rejoin = _loss(where, members, nodes, names[-1])
        rss = resident_bytes(where.api_server)
    where.connection.request("DELETE", object_path(RENDEZVOUS_PLURAL, where.namespace, name))
    where.connection.request("DELETE", collection_path(MEMBER_PLURAL, where.namespace), timeout=120.0)
    return Measured(nodes, storm, told, again, join, rejoin, rss)


def _storm(where: Site, members: Fleet, nodes: int) -> tuple[float, list[str], Cost]:
    before = cpu_seconds(where.api_server)
    answers = members.ask("join")
    spent = cpu_seconds(where.api_server) - before
    seconds = max(one["ended"] for one in answers) - min(one["began"] for one in answers)
    return seconds, [name for one in answers for name in one["names"]], _cost(answers, spent, nodes)


def _loss(where: Site, members: Fleet, nodes: int, victim: str) -> tuple[float, float, Cost]:
    members.ask("arm", victim=victim)
    before, began = cpu_seconds(where.api_server), time.monotonic()
    where.connection.request("DELETE", object_path(MEMBER_PLURAL, where.namespace, victim))
    answers = members.ask("joined_again")
    spent = cpu_seconds(where.api_server) - before
    told, ended = (max(one[what] for one in answers) - began for what in ("told", "ended"))
    return told, ended, _cost(answers, spent, nodes)


def _cost(answers: list[dict[str, Any]], server_cpu: float, nodes: int) -> Cost:
    total = {what: sum(one[what] for one in answers) / nodes for what in ("cpu", "requests", "read", "written")}
    return Cost(total["cpu"], server_cpu / nodes, total["requests"], total["read"], total["written"])


def main() -> None:
    """Measure what the arguments say, and print it."""
    parser = argparse.ArgumentParser(prog="performance.scale", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--client", type=Path, help="folder with another kube_rendezvous package")
    parser.add_argument("--light", action="store_true", help="light watchers instead of real handlers")
    options = parser.parse_args()
    module = "performance.light_player" if options.light else "performance.player"
    with site() as where:
        for nodes in options.nodes:
            for number in range(options.repeat):
                name = f"scale-{nodes}-{number}"
                found = measure(where, nodes, options.processes, options.client, module, name)
                print(json.dumps(asdict(found)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
