"""What one rendezvous of so many members costs: it forms, perhaps grows, loses one, forms again, perhaps closes."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path, object_path
from performance.fleet import Fleet, cpu_seconds, fleet, peak_bytes, resident_bytes
from performance.local_site import Site
from performance.scale_figures import Cost, Floor, Measured

SETTLED_SECONDS = 2.5
"""Pause after the Rendezvous is made: in a cluster, pods need longer to start."""


FLOOR_MODULE = "performance.floor_player"
_MERGE = "application/merge-patch+json"


def measure(
    where: Site, nodes: int, processes: int, commit: Path | None, module: str, name: str, *, more: int = 0
) -> Measured:
    """Form a rendezvous of so many members, delete one Member, let all join again.

    No round may have more than `LARGEST_WORLD` members: the newcomers are therefore some of the members, not further
    ones, and it grows before it loses one, so that the loss and what follows are those of the full size.

    Args:
        where: the control plane.
        nodes: members.
        processes: that play them.
        commit, module: see `fleet`.
        name: of the Rendezvous, a new one.
        more: so many of the members come when the others' round stands, and in the end all are closed; 0: neither.
    """
    operator_process = where.operator.pid
    assert operator_process is not None
    before = cpu_seconds(operator_process)
    with (
        fleet(where.kubeconfig, nodes - more, processes, commit, module) as members,
        fleet(where.kubeconfig, more, 1, commit, module) as newcomers,
    ):
        members.prepare(where.namespace, name, nodes=nodes)
        newcomers.prepare(where.namespace, name, first=nodes - more, nodes=nodes)
        _create(where, name, nodes - more)
        storm, names, join = _storm(where, members, nodes - more)
        # Members open their second connection when first they join again, unless a heartbeat has needed it: what is
        # measured of a loss comes after that.
        grown = closed = 0.0
        loss = None
        if more:
            grown, names = _growth(where, name, members, newcomers, nodes)
        else:
            loss = _loss(where, members, nodes, names[-1])
            names = loss.names
        everybody = members.together_with(newcomers)
        if loss is None or not loss.unfinished:
            loss = _loss(where, everybody, nodes, names[-1])
            names = loss.names
        if more:
            closed = _close(where, everybody, names[0])
        rss = resident_bytes(where.api_server)
        operator = peak_bytes(operator_process), cpu_seconds(operator_process) - before
    _delete(where, name)
    return Measured(
        nodes,
        storm,
        loss.told,
        loss.again,
        join,
        loss.cost,
        rss,
        *operator,
        grown=grown,
        closed=closed,
        unfinished=loss.unfinished,
    )


def measure_floor(where: Site, nodes: int, processes: int, name: str) -> Floor:
    """What the joins alone cost at the least (`performance.floor_player`). Arguments as `measure`."""
    with fleet(where.kubeconfig, nodes, processes, None, FLOOR_MODULE) as members:
        members.prepare(where.namespace, name)
        _create(where, name, nodes)
        storm, _, join = _storm(where, members, nodes)
    _delete(where, name)
    return Floor(nodes, storm, join)


def _create(where: Site, name: str, nodes: int) -> None:
    body = {
        "apiVersion": API_VERSION,
        "kind": "Rendezvous",
        "metadata": {"name": name},
        "spec": {"minNodes": nodes, "maxNodes": nodes, "heartbeatSeconds": 30},
    }
    where.connection.request("POST", collection_path(RENDEZVOUS_PLURAL, where.namespace), body=body)
    time.sleep(SETTLED_SECONDS)


def _delete(where: Site, name: str) -> None:
    where.connection.request("DELETE", object_path(RENDEZVOUS_PLURAL, where.namespace, name))
    where.connection.request("DELETE", collection_path(MEMBER_PLURAL, where.namespace), timeout=120.0)


def _storm(where: Site, members: Fleet, nodes: int) -> tuple[float, list[str], Cost]:
    before = cpu_seconds(where.api_server)
    answers = members.ask("join")
    spent = cpu_seconds(where.api_server) - before
    seconds = max(one["ended"] for one in answers) - min(one["began"] for one in answers)
    return seconds, _names(answers), _cost(answers, spent, nodes)


@dataclass(frozen=True)
class _Loss:
    """What came of the deletion of one Member; see `Measured`."""

    told: float
    again: float
    unfinished: bool
    names: list[str]
    cost: Cost


def _loss(where: Site, members: Fleet, nodes: int, victim: str) -> _Loss:
    members.ask("arm", victim=victim)
    before, began = cpu_seconds(where.api_server), time.monotonic()
    where.connection.request("DELETE", object_path(MEMBER_PLURAL, where.namespace, victim))
    answers = members.ask("joined_again")
    spent = cpu_seconds(where.api_server) - before
    told, ended = (max(one[what] for one in answers) - began for what in ("told", "ended"))
    unfinished = any(one.get("unfinished") for one in answers)
    return _Loss(told, ended, unfinished, _names(answers), _cost(answers, spent, nodes))


def _growth(where: Site, name: str, members: Fleet, newcomers: Fleet, nodes: int) -> tuple[float, list[str]]:
    """Seconds from when the newcomers begin until the last of all has its place in the larger round; all names."""
    path = object_path(RENDEZVOUS_PLURAL, where.namespace, name)
    where.connection.request("PATCH", path, body={"spec": {"maxNodes": nodes}}, content_type=_MERGE)
    members.ask("arm", victim="")
    began = time.monotonic()
    members.tell("joined_again")
    newcomers.tell("join")
    answers = [*members.answers(), *newcomers.answers()]
    # From now on no round may do without one that is lost, as it may not where nothing grows.
    where.connection.request("PATCH", path, body={"spec": {"minNodes": nodes}}, content_type=_MERGE)
    return max(one["ended"] for one in answers) - began, _names(answers)


def _close(where: Site, members: Fleet, asking: str) -> float:
    """Seconds from when one member asks for it, as one does whose training is done, until the last sees it closed."""
    path, began = object_path(MEMBER_PLURAL, where.namespace, asking), time.monotonic()
    where.connection.request("PATCH", path, body={"spec": {"closeRequested": True}}, content_type=_MERGE)
    return max(one["ended"] for one in members.ask("see_closed")) - began


def _names(answers: list[dict[str, Any]]) -> list[str]:
    return [name for one in answers for name in one["names"]]


def _cost(answers: list[dict[str, Any]], server_cpu: float, nodes: int) -> Cost:
    total = {what: sum(one[what] for one in answers) / nodes for what in ("cpu", "requests", "read", "written")}
    return Cost(total["cpu"], server_cpu / nodes, total["requests"], total["read"], total["written"])
