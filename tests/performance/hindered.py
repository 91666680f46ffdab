"""How long members wait beside pods that cannot come: after a loss, and for a first round.

The re-formation's clock starts when the last survivor is told that its round is over; each joins again as soon as it is
told. The first round's clock starts when the last one that can come calls `next_rendezvous`. Both stop when every
`next_rendezvous` has returned.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects
from integration.pods.pod_run import PodRun
from kube_rendezvous.resources import RendezvousStatus
from performance.hindered_figures import Hindered
from performance.local_site import Site

LIMIT_SECONDS = 60.0
LAST_CALL_SECONDS = 30
MEMBERS = 3


def _gated(pods: PodObjects, name: str, run: str) -> None:
    pods.create(name, run, gates=["kueue.x-k8s.io/elastic-job"])


def _unschedulable(pods: PodObjects, name: str, run: str) -> None:
    pods.create(name, run)
    pods.set_condition(name, "PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")


def _in_back_off(pods: PodObjects, name: str, run: str) -> None:
    pods.create(name, run, "worker-1")
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}
    pods.set_container(name, {"waiting": waiting}, phase="Pending")


WAYS: Mapping[str, Callable[[PodObjects, str, str], None]] = {
    "gated": _gated,
    "unschedulable": _unschedulable,
    "in back-off": _in_back_off,
}


def measure_hindered(site: Site, way: str, times: int, progress: Callable[[str], None]) -> Hindered:
    """Form a first round beside two such pods, delete a member's pod by force, and again.

    Args:
        site: where.
        way: of `WAYS`.
        times: how often.
        progress: told what goes on.
    """
    pairs = [_once(site, way, f"hindered-{way.replace(' ', '-')}-{number}") for number in range(times)]
    first, again = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    progress(f"pods that are {way}: {times} first rounds and {times} losses beside them")
    return Hindered(way, first, again)


def _once(site: Site, way: str, name: str) -> tuple[float, float]:
    logging.getLogger("kube_rendezvous").setLevel(logging.ERROR)  # what each of many handlers says is not the news
    run = PodRun(site.connection, site.namespace, name)
    run.create(minNodes=2, maxNodes=MEMBERS + 2, lastCallSeconds=LAST_CALL_SECONDS)
    *here, last = (
        PodMember(site.connection, site.namespace, name, site.pods.run(f"{name}-{number}", name))
        for number in range(MEMBERS)
    )
    for number in (MEMBERS, MEMBERS + 1):
        WAYS[way](site.pods, f"{name}-{number}", name)
    first, *others = here
    joins = [first.join()]
    # Too few for a round yet. Pods come on a watch of their own, in order: who knows the last one knows all.
    run.until(lambda now: _names(now, f"{name}-{MEMBERS + 1}"), "the pods are known")
    joins += [member.join() for member in others]
    for member in here:
        if not member.wait_until_joined(LIMIT_SECONDS):
            raise TimeoutError(f"{name}: no Member within {LIMIT_SECONDS} s")
    began = time.monotonic()
    for join in (*joins, last.join()):
        try:
            join.result(LIMIT_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"{name}: no first round within {LIMIT_SECONDS:.0f} s: {run.status}") from None
    first_round = time.monotonic() - began
    last.fall_silent()
    with ThreadPoolExecutor(len(here)) as threads:
        done = [threads.submit(_told_and_again, survivor) for survivor in here]
        site.pods.delete(last.identity.pod_name, grace_seconds=0)
        WAYS[way](site.pods, last.identity.pod_name, name)  # its replacement
        told, returned = (max(moments) for moments in zip(*(one.result() for one in done), strict=True))
    if run.status.world_size != len(here):
        raise AssertionError(f"{name}: a round of {run.status.world_size}, not of {len(here)}")
    for member in here:
        member.fall_silent()
    run.close()
    site.clear()
    return first_round, returned - told


def _names(status: RendezvousStatus, pod: str) -> bool:
    return any(one.type == "PodsHeldUp" and pod in one.message for one in status.conditions)


def _told_and_again(survivor: PodMember) -> tuple[float, float]:
    if not survivor.wait_until_told(LIMIT_SECONDS):
        raise TimeoutError(f"{survivor.name} was not told within {LIMIT_SECONDS} s")
    told = time.monotonic()
    survivor.join().result(LIMIT_SECONDS)
    return told, time.monotonic()
