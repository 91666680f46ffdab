"""How long after the forced deletion of its pod every survivor of a node is told.

The clock starts before the request to delete the pod is sent, and stops for a survivor when its `num_nodes_waiting()`
is above 0.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from integration.pods.pod_member import PodMember
from integration.pods.pod_run import PodRun
from performance.figures import Told
from performance.local_site import Site

LIMIT_SECONDS = 30.0


def measure_told(site: Site, times: int, nodes: int, progress: Callable[[str], None]) -> Told:
    """Delete a pod, take the time, let a replacement join, and again.

    Args:
        site: where.
        times: how often.
        nodes: how many there are, the victim included.
        progress: told what goes on.
    """
    run = PodRun(site.connection, site.namespace, "told")
    run.create(minNodes=2, maxNodes=nodes)
    members = [_member(site, f"node-{n}") for n in range(nodes)]
    _stand(members)
    seconds: list[float] = []
    for number in range(1, times + 1):
        *survivors, victim = members
        victim.fall_silent()
        with ThreadPoolExecutor(len(survivors)) as threads:
            told = [threads.submit(_when_told, survivor) for survivor in survivors]
            began = time.monotonic()
            site.pods.delete(victim.identity.pod_name, grace_seconds=0)
            seconds.append(max(one.result() for one in told) - began)
        forming = run.status.forming
        if forming is None or forming.reason != "PodDeleted":
            raise AssertionError(f"the survivors were told for another reason: {forming}")
        members = [*survivors, _member(site, f"again-{number}-{nodes - 1}")]
        _stand(members)
        if number % 10 == 0:
            progress(f"pod deleted -> all told: {number} of {times}, last {seconds[-1] * 1000:.0f} ms")
    for member in members:
        member.fall_silent()
    run.close()
    site.clear()
    return Told(nodes - 1, seconds)


def _member(site: Site, name: str) -> PodMember:
    return PodMember(site.connection, site.namespace, "told", site.pods.run(name, "told"))


def _stand(members: list[PodMember]) -> None:
    for join in [member.join() for member in members]:
        join.result(LIMIT_SECONDS)


def _when_told(survivor: PodMember) -> float:
    if not survivor.wait_until_told(LIMIT_SECONDS):
        raise TimeoutError(f"{survivor.name} was not told within {LIMIT_SECONDS} s")
    return time.monotonic()
