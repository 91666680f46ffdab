"""The control plane's part of the cluster: nodes with labels, and pods that start, end, are warned and are deleted."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kube_rendezvous.resources.timestamps import format_time
from kube_rendezvous_core.observed.pod_reading import NAME_LABEL
from simulation.whole.devices import Devices
from simulation.whole.world import World

ZONE, RACK = "topology.kubernetes.io/zone", "example.org/rack"
UNSCHEDULED, WITHOUT_CONTAINER = ("SchedulingGated", "Unschedulable"), ("ImagePullBackOff", "CrashLoopBackOff")
_DRAIN = {"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}


@dataclass(frozen=True, slots=True)
class Home:
    """Where a process runs. ``labelled``: in a pod that the operator watches."""

    slot: str = ""
    pod_uid: str = ""
    node: str = ""
    labelled: bool = False


class PodsAndNodes:
    """What is true of pods and nodes.

    Args:
        node_count: how many nodes; every second one is in another zone, each zone has two racks.
    """

    def __init__(self, world: World, node_count: int) -> None:
        self._world = world
        self.warned: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.created: dict[str, float] = {}
        self.drained: dict[str, float] = {}
        self.held_until: dict[str, float] = {}
        self.devices = Devices(lambda: world.seconds)
        self.nodes = [f"node-{number}" for number in range(node_count)]
        for name in self.nodes:
            self._create_node(name)

    def _create_node(self, name: str) -> None:
        number = int(name.removeprefix("node-"))
        labels = {ZONE: f"zone-{number % 2}", RACK: f"rack-{number // 2 % 2}"}
        self._world.put("nodes", name, {"metadata": {"name": name, "labels": labels}, "spec": {"taints": []}})

    def labels_of(self, node: str) -> dict[str, str]:
        """Labels of a node; {} if it is gone."""
        known = self._world.objects["nodes"].get(node)
        return known["metadata"]["labels"] if known is not None else {}

    # Pods

    def create_pod(self, uid: str, node: str, held: str = "") -> None:
        """A labelled pod, not running yet; ``held``: and it cannot run until `free_pod`."""
        meta = {"name": uid, "uid": uid, "namespace": "sim", "labels": {NAME_LABEL: "run"}}
        status: dict[str, Any] = {"phase": "Pending"}
        if held in UNSCHEDULED:
            status["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": held}]
        else:
            status["containerStatuses"] = [_container(waiting={"reason": held or "ContainerCreating"})]
        if held:
            self.held_until[uid] = math.inf
        spec = {"nodeName": node, "containers": [{"name": "main"}]}
        self.created[uid] = self._world.seconds
        self._world.put("pods", uid, {"metadata": meta, "spec": spec, "status": status})
        self._world.say(f"pod {uid} is created on {node}{f', {held}' if held else ''}")

    def free_pod(self, uid: str) -> None:
        """Nothing keeps it from running any more."""

        def free(pod: dict[str, Any]) -> None:
            pod["status"]["conditions"] = []
            pod["status"]["containerStatuses"] = [_container(waiting={"reason": "ContainerCreating"})]

        self.held_until[uid] = self._world.seconds
        self._change(uid, free, "can run")

    def start_container(self, uid: str) -> None:
        """The first, or another after the one before has ended."""
        running = {"startedAt": self._whole_seconds_there(uid)}

        def start(pod: dict[str, Any]) -> None:
            restarts = pod["metadata"].get("started", 0)  # ours: how many instances there were
            pod["metadata"]["started"] = restarts + 1
            container = {**_container(running=running), "restartCount": restarts}
            pod["status"] |= {"phase": "Running", "containerStatuses": [container]}

        self._change(uid, start, "runs")

    def end_container(self, uid: str, *, last: bool) -> None:
        """The process is dead; with last, the pod has failed."""
        ended = {"exitCode": 137, "finishedAt": self._whole_seconds_there(uid)}

        def end(pod: dict[str, Any]) -> None:
            pod["status"] |= {"containerStatuses": [_container(terminated=ended)]} | (
                {"phase": "Failed"} if last else {}
            )

        self._change(uid, end, "has failed" if last else "has lost its container")

    def warn(self, uid: str, *, eviction: bool) -> None:
        """It will have to go: an eviction, or a deletion with grace."""

        def warn(pod: dict[str, Any]) -> None:
            if eviction:
                condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
                pod["status"]["conditions"] = [condition]
            else:
                pod["metadata"] |= {"deletionTimestamp": self._whole_seconds(), "deletionGracePeriodSeconds": 30}

        self._change(uid, warn, "has to go")
        self.warned.setdefault(uid, self._world.seconds)

    def say_of_its_device(self, uid: str, health: str) -> None:
        """Its node does."""
        if uid in self._world.objects["pods"]:
            self.devices.say(uid, health)
            self._change(uid, lambda _: None, f"has a device that is {health}")

    def delete_pod(self, uid: str) -> None:
        """It is gone, and its process with it; its Member follows."""
        if uid not in self._world.objects["pods"]:
            return

        def mark(pod: dict[str, Any]) -> None:
            pod["metadata"] |= {"deletionTimestamp": self._whole_seconds(), "deletionGracePeriodSeconds": 0}

        self._change(uid, mark, "is deleted")
        self.ended.setdefault(uid, self._world.seconds)
        self._world.drop("pods", uid)
        self._world.after(self._world.rng.uniform(0.05, 5.0), lambda: self._collect(uid))

    def _collect(self, uid: str) -> None:
        """Kubernetes removes what the pod owned, as soon as it can."""
        if self._world.away:
            self._world.after(1.0, lambda: self._collect(uid))
            return
        for name in [name for name, member in self._world.members.items() if member.pod_uid == uid]:
            self._world.delete_member(name)

    def _change(self, uid: str, change: Callable[[dict[str, Any]], None], what: str) -> None:
        known = self._world.objects["pods"].get(uid)
        if known is None:
            return
        pod = copy.deepcopy(known)
        change(pod)
        self.devices.shown_in(uid, pod)
        self._world.put("pods", uid, pod)
        self._world.say(f"pod {uid} {what}")

    def _whole_seconds(self) -> str:
        return format_time(self._world.now.replace(microsecond=0))

    def _whole_seconds_there(self, uid: str) -> str:
        """As the pod's node, which says so, tells the time."""
        pod = self._world.objects["pods"].get(uid)
        ahead = self._world.clock_error(pod["spec"]["nodeName"]) if pod is not None else timedelta(0)
        return format_time((self._world.now + ahead).replace(microsecond=0))

    # Nodes

    def drain(self, name: str) -> None:
        """A taint says that its pods must go."""
        node = copy.deepcopy(self._world.objects["nodes"][name])
        node["spec"]["taints"] = [_DRAIN]
        self.drained[name] = self._world.seconds
        self._world.say(f"{name} is being drained")
        self._world.put("nodes", name, node)

    def replace_node(self, name: str) -> None:
        """It goes, and a fresh one of that name comes."""
        self._world.say(f"{name} is replaced")
        self._world.drop("nodes", name)
        self._create_node(name)
        self.drained.pop(name, None)


def _container(**state: dict[str, Any]) -> dict[str, Any]:
    return {"name": "main", "state": state}
