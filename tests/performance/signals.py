"""How soon survivors are told of what the cluster says of a pod, a device or a node.

The clock starts before the request that changes the API object, as a kubelet or an administrator's tool sends it, and
stops when the last survivor is told that its round is over.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import NodeObjects
from integration.pods.pod_run import PodRun
from performance.local_site import Site
from performance.signal_figures import Told

LIMIT_SECONDS = 60.0
MEMBERS = 3
NODE = "bench-worker"


def _all_containers_restart(site: Site, nodes: NodeObjects, pod: str) -> None:
    why = "container exited with restart policy rule"
    site.pods.set_condition(pod, "AllContainersRestarting", "True", "RestartAllContainersStarted", why)


def _drained(site: Site, nodes: NodeObjects, pod: str) -> None:
    nodes.set_condition(NODE, "DrainInProgress", "True", "Upgrade", "the kernel is replaced")


def _device_unhealthy(site: Site, nodes: NodeObjects, pod: str) -> None:
    site.pods.report_device(pod, "Unhealthy", "ECC errors")


SIGNALS: Mapping[str, Callable[[Site, NodeObjects, str], None]] = {
    "all containers restart in place": _all_containers_restart,
    "a node is being drained": _drained,
    "a device is unhealthy, and a spare is there": _device_unhealthy,
}


def measure_signal(site: Site, signal: str, times: int, progress: Callable[[str], None]) -> Told:
    """Let three members have a round, say that of one of them, and again.

    Args:
        site: where.
        signal: of `SIGNALS`.
        times: how often.
        progress: told what goes on.
    """
    logging.getLogger("kube_rendezvous").setLevel(logging.ERROR)  # what each of many handlers says is not the news
    number = list(SIGNALS).index(signal)
    began, seconds = time.monotonic(), []
    for turn in range(1, times + 1):
        seconds.append(_once(site, signal, f"signal-{number}-{turn}"))
        if turn % 5 == 0 or turn == times:
            progress(f"{signal}: {turn} of {times} times, {(time.monotonic() - began) / turn:.1f} s each")
    return Told(signal, seconds)


def _once(site: Site, signal: str, name: str) -> float:
    nodes, run = NodeObjects(site.connection), PodRun(site.connection, site.namespace, name)
    nodes.create(NODE)
    run.create(minNodes=MEMBERS - 1, maxNodes=MEMBERS)
    on = ["worker-1"] * (MEMBERS - 1) + [NODE]
    members = [
        PodMember(site.connection, site.namespace, name, site.pods.run(f"{name}-{at}", name, node=node))
        for at, node in enumerate(on)
    ]
    for join in [member.join() for member in members]:
        join.result(LIMIT_SECONDS)
    spare = PodMember(site.connection, site.namespace, name, site.pods.run(f"{name}-spare", name))
    spare.join()
    run.until(lambda now: now.standby == 1, "a spare")
    *survivors, marked = members
    with ThreadPoolExecutor(len(survivors)) as threads:
        told = [threads.submit(_told, survivor) for survivor in survivors]
        began = time.monotonic()
        SIGNALS[signal](site, nodes, marked.identity.pod_name)
        took = max(one.result() for one in told) - began
    _end(run, (*members, spare))
    site.clear()
    nodes.delete_all()
    return took


def _end(run: PodRun, members: Sequence[PodMember]) -> None:
    """Leave nothing that goes on beside the next time: a spare that waits hears that it is over, and is heard no more;
    a rendezvous that stayed would be looked at with every change of a node."""
    run.close()
    if not all(member.threads_end(LIMIT_SECONDS) for member in members):
        raise TimeoutError(f"{run.name} is closed, and somebody has waited for it for {LIMIT_SECONDS:.0f} s more")
    with ThreadPoolExecutor(len(members)) as threads:
        list(threads.map(PodMember.fall_silent, members))
    run.delete()


def _told(survivor: PodMember) -> float:
    if not survivor.wait_until_told(LIMIT_SECONDS):
        raise TimeoutError(f"{survivor.name} was not told within {LIMIT_SECONDS:.0f} s")
    return time.monotonic()
