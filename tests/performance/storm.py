"""How long many nodes need to join, with nobody else on the way: no last call may be waited for.

The pods are there before the clock starts; connecting, listing, joining and being told are measured.
"""

import time
from dataclasses import dataclass

from integration.pods.pod_member import PodMember
from integration.pods.pod_run import PodRun, eventually
from performance.local_site import Site

LIMIT_SECONDS = 60.0


@dataclass(frozen=True)
class OneStorm:
    """Seconds until every `next_rendezvous` has returned: since all began, or since the last one did."""

    whole: float
    last: float


def measure_storm(site: Site, nodes: int, name: str) -> OneStorm:
    """Let so many nodes join at once; then, at another Rendezvous, all but one, and then the last."""
    return OneStorm(_all_at_once(site, nodes, f"{name}-all"), _last_joiner(site, nodes, f"{name}-last"))


def _all_at_once(site: Site, nodes: int, name: str) -> float:
    run, members = _prepare(site, nodes, name)
    began = time.monotonic()
    seconds = _until_all_returned(members, began)
    _end(site, run, members)
    return seconds


def _last_joiner(site: Site, nodes: int, name: str) -> float:
    run, members = _prepare(site, nodes, name)
    *early, last = members
    joins = [member.join() for member in early]
    eventually(lambda: _arrived(run) == len(early), f"{len(early)} of {nodes} have arrived", LIMIT_SECONDS)
    began = time.monotonic()
    seconds = _until_all_returned([last], began)
    for join in joins:
        join.result(LIMIT_SECONDS)
    seconds = max(seconds, time.monotonic() - began)
    _end(site, run, members)
    return seconds


def _prepare(site: Site, nodes: int, name: str) -> tuple[PodRun, list[PodMember]]:
    run = PodRun(site.connection, site.namespace, name)
    # One more could come, and last call is long: only that no pod is on its way ends it.
    run.create(minNodes=nodes, maxNodes=nodes + 1, lastCallSeconds=3600)
    places = [site.pods.run(f"{name}-{number}", name) for number in range(nodes)]
    return run, [PodMember(site.connection, site.namespace, name, place) for place in places]


def _until_all_returned(members: list[PodMember], began: float) -> float:
    for join in [member.join() for member in members]:
        join.result(LIMIT_SECONDS)
    return time.monotonic() - began


def _arrived(run: PodRun) -> int:
    forming = run.status.forming
    return forming.arrived if forming is not None else 0


def _end(site: Site, run: PodRun, members: list[PodMember]) -> None:
    status = run.status
    if status.world_size != len(members):
        raise AssertionError(f"{len(members)} nodes joined, and round {status.round} has {status.world_size}")
    run.close()
    for member in members:
        member.fall_silent()
    site.clear()
