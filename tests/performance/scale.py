"""What one rendezvous of so many members costs: it forms, loses one, forms again."""

import time
from pathlib import Path
from typing import Any

from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path, object_path
from performance.fleet import Fleet, cpu_seconds, fleet, peak_bytes, resident_bytes
from performance.local_site import Site
from performance.scale_figures import Cost, Measured

SETTLED_SECONDS = 2.5
"""Pause after the Rendezvous is made: in a cluster, pods need longer to start."""


def measure(where: Site, nodes: int, processes: int, commit: Path | None, module: str, name: str) -> Measured:
    """Form a rendezvous of so many members, delete one Member, let all join again.

    Args:
        where: the control plane.
        nodes: members.
        processes: that play them.
        commit, module: see `fleet`.
        name: of the Rendezvous, a new one.
    """
    body = {
        "apiVersion": API_VERSION,
        "kind": "Rendezvous",
        "metadata": {"name": name},
        "spec": {"minNodes": nodes, "maxNodes": nodes, "heartbeatSeconds": 30},
    }
    path = collection_path(RENDEZVOUS_PLURAL, where.namespace)
    operator_process = where.operator.pid
    assert operator_process is not None
    before = cpu_seconds(operator_process)
    with fleet(where.kubeconfig, nodes, processes, commit, module) as members:
        members.prepare(where.namespace, name)
        where.connection.request("POST", path, body=body)
        time.sleep(SETTLED_SECONDS)
        storm, names, join = _storm(where, members, nodes)
        # The first loss is not measured: members open their second connection then, unless a heartbeat has needed it.
        *_, names, _ = _loss(where, members, nodes, names[-1])
        told, again, _, rejoin = _loss(where, members, nodes, names[-1])
        rss = resident_bytes(where.api_server)
        operator = peak_bytes(operator_process), cpu_seconds(operator_process) - before
    where.connection.request("DELETE", object_path(RENDEZVOUS_PLURAL, where.namespace, name))
    where.connection.request("DELETE", collection_path(MEMBER_PLURAL, where.namespace), timeout=120.0)
    return Measured(nodes, storm, told, again, join, rejoin, rss, *operator)


def _storm(where: Site, members: Fleet, nodes: int) -> tuple[float, list[str], Cost]:
    before = cpu_seconds(where.api_server)
    answers = members.ask("join")
    spent = cpu_seconds(where.api_server) - before
    seconds = max(one["ended"] for one in answers) - min(one["began"] for one in answers)
    return seconds, _names(answers), _cost(answers, spent, nodes)


def _loss(where: Site, members: Fleet, nodes: int, victim: str) -> tuple[float, float, list[str], Cost]:
    members.ask("arm", victim=victim)
    before, began = cpu_seconds(where.api_server), time.monotonic()
    where.connection.request("DELETE", object_path(MEMBER_PLURAL, where.namespace, victim))
    answers = members.ask("joined_again")
    spent = cpu_seconds(where.api_server) - before
    told, ended = (max(one[what] for one in answers) - began for what in ("told", "ended"))
    return told, ended, _names(answers), _cost(answers, spent, nodes)


def _names(answers: list[dict[str, Any]]) -> list[str]:
    return [name for one in answers for name in one["names"]]


def _cost(answers: list[dict[str, Any]], server_cpu: float, nodes: int) -> Cost:
    total = {what: sum(one[what] for one in answers) / nodes for what in ("cpu", "requests", "read", "written")}
    return Cost(total["cpu"], server_cpu / nodes, total["requests"], total["read"], total["written"])
