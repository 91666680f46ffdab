"""What the operator reads from Pods and Nodes as the API server shows them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kube_rendezvous_core import ObservedContainer
from kube_rendezvous_core.observed.hindrance import Hindrance
from kube_rendezvous_core.observed.pod_reading import read_node, read_pod

STARTED = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
ENDED = datetime(2026, 3, 1, 12, 7, 9, tzinfo=UTC)

RUNNING = {"running": {"startedAt": "2026-03-01T12:00:05Z"}}
KILLED = {
    "terminated": {
        "containerID": "containerd://5b1d",
        "exitCode": 137,
        "reason": "OOMKilled",
        "startedAt": "2026-03-01T12:00:05Z",
        "finishedAt": "2026-03-01T12:07:09Z",
    }
}


AFTER_LONG = {"terminated": KILLED["terminated"] | {"finishedAt": "2026-03-01T12:10:05Z"}}
DONE = {"terminated": KILLED["terminated"] | {"exitCode": 0, "reason": "Completed"}}


def container(state: dict[str, Any], name: str = "trainer", **fields: Any) -> dict[str, Any]:
    """An entry of `containerStatuses`."""
    return {
        "name": name,
        "image": "registry.example/trainer:1",
        "imageID": "",
        "ready": "running" in state,
        "restartCount": 0,
        "started": "running" in state,
        "state": state,
        "lastState": {},
    } | fields


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    """An entry of `conditions`."""
    times = {"lastProbeTime": None, "lastTransitionTime": "2026-03-01T12:00:00Z"}
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}


def pod(
    phase: str,
    *statuses: dict[str, Any],
    conditions: tuple[dict[str, Any], ...] = (),
    containers: tuple[str, ...] = ("trainer",),
    annotations: dict[str, str] | None = None,
    **meta: Any,
) -> dict[str, Any]:
    """A Pod of an Indexed Job."""
    status: dict[str, Any] = {"phase": phase, "qosClass": "Burstable", "conditions": list(conditions)}
    if statuses:
        status["containerStatuses"] = list(statuses)
    return {
        "metadata": {
            "name": "trainer-3-x7k2p",
            "namespace": "team-a",
            "uid": "0d4f1b0e-6a0a-4d26-8f0b-5c8b4e9d8f11",
            "resourceVersion": "4711",
            "creationTimestamp": "2026-03-01T11:59:58Z",
            "labels": {"rendezvous.dev/name": "run", "batch.kubernetes.io/job-completion-index": "3"},
            "annotations": annotations or {},
            "finalizers": ["batch.kubernetes.io/job-tracking"],
            **meta,
        },
        "spec": {
            "nodeName": "worker-7",
            "containers": [{"name": name, "image": "registry.example/trainer:1"} for name in containers],
            "restartPolicy": "OnFailure",
        },
        "status": status,
    }


UNSCHEDULABLE = condition(
    "PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
)
SCHEDULED = condition("PodScheduled", "True")


def test_a_running_pod() -> None:
    seen = read_pod(pod("Running", container(RUNNING), conditions=(SCHEDULED, condition("Ready", "True"))))
    assert (seen.name, seen.uid, seen.phase, seen.node_name) == (
        "trainer-3-x7k2p",
        "0d4f1b0e-6a0a-4d26-8f0b-5c8b4e9d8f11",
        "Running",
        "worker-7",
    )
    assert (seen.deleting, seen.grace_over, seen.disruption) == (False, False, "")
    assert seen.container == ObservedContainer(running_since=STARTED, first=True)


def ended_beside_another(policy: str, state: dict[str, Any] = KILLED, **spec: Any) -> dict[str, Any]:
    """A pod whose trainer has ended, and in which something else runs on: a proxy, something that ships logs.

    Args:
        policy: `restartPolicy` of the pod.
        state: of the trainer.
        spec: of the trainer.
    """
    statuses = container(state), container(RUNNING, "proxy")
    beside = pod("Running", *statuses, conditions=(SCHEDULED,), containers=("trainer", "proxy"))
    beside["spec"]["restartPolicy"] = policy
    beside["spec"]["containers"][0] |= spec
    return beside


GATED = pod("Pending", conditions=(condition("PodScheduled", "False", "SchedulingGated", "Scheduling is blocked"),))
GATED["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}, {"name": "example.org/licence"}]


@pytest.mark.parametrize(
    ("obj", "holdup"),
    [
        pytest.param(
            pod("Pending", conditions=(UNSCHEDULABLE,)),
            "Pending: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            id="no node has room",
        ),
        pytest.param(
            pod("Pending", conditions=(condition("PodScheduled", "False", "SchedulingGated"),)),
            "Pending",
            id="its last gate is lifted",
        ),
        pytest.param(GATED, "SchedulingGated: kueue.x-k8s.io/admission, example.org/licence", id="gated by two"),
        pytest.param(
            pod(
                "Pending",
                container({"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}}),
                conditions=(SCHEDULED,),
            ),
            'ImagePullBackOff: Back-off pulling image "x"',
            id="the image cannot be pulled",
        ),
        pytest.param(
            pod("Pending", container({"waiting": {"reason": "ContainerCreating"}}), conditions=(SCHEDULED,)),
            "ContainerCreating",
            id="being created",
        ),
        pytest.param(
            pod(
                "Running",
                container(
                    {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
                    restartCount=4,
                    lastState=KILLED,
                ),
                conditions=(SCHEDULED,),
            ),
            "CrashLoopBackOff: back-off 40s restarting failed container",
            id="it crashes again and again",
        ),
        pytest.param(pod("Pending", conditions=(SCHEDULED,)), "Pending", id="its kubelet has said nothing yet"),
        pytest.param(
            pod("Running", container(RUNNING)), "running since 2026-03-01T12:00:05Z, not joined yet", id="it runs"
        ),
        pytest.param(pod("Running"), "running, not joined yet", id="it runs, and nobody says since when"),
        pytest.param(
            pod("Running", container(KILLED)),
            "its container ended (exit code 137, OOMKilled)",
            id="it ended, and is about to be started again",
        ),
        pytest.param(
            pod("Running", container(RUNNING), conditions=(condition("AllContainersRestarting", "True"),)),
            "all its containers are being restarted in place",
            id="all its containers are restarted",
        ),
        pytest.param(
            ended_beside_another("Never"),
            "its container ended for good (exit code 137, OOMKilled), and another one of the pod keeps it from ending",
            id="it ended for good beside a container that runs",
        ),
    ],
)
def test_what_holds_a_pod(obj: dict[str, Any], holdup: str) -> None:
    assert read_pod(obj).holdup == holdup


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def initialising(reason: str) -> dict[str, Any]:
    """A pod whose init container waits."""
    held = pod("Pending", container(waiting("PodInitializing")), conditions=(SCHEDULED,))
    held["status"]["initContainerStatuses"] = [container(waiting(reason), "fetch")]
    return held


@pytest.mark.parametrize(
    ("obj", "hindrance"),
    [
        pytest.param(GATED, Hindrance.GATED, id="gated"),
        pytest.param(
            pod("Pending", conditions=(condition("PodScheduled", "False", "SchedulingGated"),)),
            None,
            id="its last gate is lifted",
        ),
        pytest.param(pod("Pending", conditions=(UNSCHEDULABLE,)), Hindrance.UNSCHEDULABLE, id="unschedulable"),
        *(
            pytest.param(pod("Pending", container(waiting(reason)), conditions=(SCHEDULED,)), hindrance, id=reason)
            for reason, hindrance in {
                "ImagePullBackOff": Hindrance.IMAGE,
                "ErrImagePull": Hindrance.IMAGE,
                "InvalidImageName": Hindrance.IMAGE,
                "ErrImageNeverPull": Hindrance.IMAGE,
                "CreateContainerConfigError": Hindrance.MISCONFIGURED,
                "CreateContainerError": Hindrance.MISCONFIGURED,
                "RunContainerError": Hindrance.MISCONFIGURED,
                "ContainerCreating": None,
                "PodInitializing": None,
            }.items()
        ),
        pytest.param(initialising("CrashLoopBackOff"), Hindrance.CRASHING, id="an init container crashes"),
        pytest.param(initialising("PodInitializing"), None, id="an init container waits"),
        pytest.param(
            pod("Running", container(waiting("CrashLoopBackOff")), conditions=(SCHEDULED,)),
            Hindrance.CRASHING,
            id="crash",
        ),
        pytest.param(
            pod("Running", container(KILLED), conditions=(SCHEDULED,)), None, id="ended, and about to be started again"
        ),
        pytest.param(
            pod("Running", container(KILLED, lastState=KILLED, restartCount=1), conditions=(SCHEDULED,)),
            Hindrance.CRASHING,
            id="ended again, and the back-off is not shown yet",
        ),
        pytest.param(
            pod("Running", container(AFTER_LONG, lastState=KILLED, restartCount=1), conditions=(SCHEDULED,)),
            None,
            id="ended again after it ran for long",
        ),
        pytest.param(
            pod("Running", container(DONE, lastState=KILLED, restartCount=1), conditions=(SCHEDULED,)),
            None,
            id="done at the second attempt",
        ),
        pytest.param(ended_beside_another("Never"), Hindrance.ENDED, id="ended for good beside another"),
        pytest.param(ended_beside_another("Always"), None, id="ended beside another, and about to be started again"),
        pytest.param(ended_beside_another("Never", DONE), None, id="done beside another"),
        pytest.param(
            ended_beside_another("Never", restartPolicy="OnFailure"), None, id="its own policy starts it again"
        ),
        pytest.param(
            ended_beside_another("Always", restartPolicy="Never"), Hindrance.ENDED, id="its own policy leaves it ended"
        ),
        pytest.param(
            ended_beside_another(
                "Never",
                restartPolicyRules=[{"action": "Restart", "exitCodes": {"operator": "In", "values": [137]}}],
            ),
            None,
            id="a rule may start it again",
        ),
        pytest.param(pod("Pending"), None, id="not looked at yet"),
        pytest.param(pod("Running", container(RUNNING)), None, id="runs"),
    ],
)
def test_what_hinders_a_pod_until_somebody_does_something(obj: dict[str, Any], hindrance: Hindrance | None) -> None:
    assert read_pod(obj).hindrance == hindrance


def test_a_sidecar_that_crashes_does_not_hinder_a_pod_whose_trainer_runs() -> None:
    busy = pod("Running", container(RUNNING), conditions=(SCHEDULED,))
    busy["status"]["initContainerStatuses"] = [container(waiting("CrashLoopBackOff"), "sidecar")]
    assert read_pod(busy).hindrance is None


@pytest.mark.parametrize(
    ("status", "observed"),
    [
        pytest.param(container(RUNNING), ObservedContainer(running_since=STARTED, first=True), id="running"),
        pytest.param(
            container(RUNNING, restartCount=1, lastState=KILLED),
            ObservedContainer(running_since=STARTED),
            id="restarted: the running instance counts",
        ),
        pytest.param(
            container(KILLED),
            ObservedContainer(terminated_at=ENDED, ending="exit code 137, OOMKilled"),
            id="ended a moment ago",
        ),
        pytest.param(
            container({"waiting": {"reason": "CrashLoopBackOff"}}, lastState=KILLED),
            ObservedContainer(terminated_at=ENDED, ending="exit code 137, OOMKilled"),
            id="waits to be restarted",
        ),
        pytest.param(
            container({"terminated": {"exitCode": 143, "signal": 15, "finishedAt": "2026-03-01T12:07:09Z"}}),
            ObservedContainer(terminated_at=ENDED, ending="exit code 143, signal 15"),
            id="a signal without a reason",
        ),
        pytest.param(
            container({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "finishedAt": None}}),
            ObservedContainer(ending="exit code 137, ContainerStatusUnknown"),
            id="nobody knows when it ended",
        ),
        pytest.param(container({"waiting": {"reason": "PodInitializing"}}), ObservedContainer(), id="never ran"),
    ],
)
def test_the_container(status: dict[str, Any], observed: ObservedContainer) -> None:
    assert read_pod(pod("Running", status)).container == observed


def test_a_failed_pod() -> None:
    seen = read_pod(pod("Failed", container(KILLED)))
    assert (seen.phase, seen.container.ending) == ("Failed", "exit code 137, OOMKilled")


def test_an_evicted_pod_says_who_evicts_it() -> None:
    message = "Eviction API: evicting"
    obj = pod(
        "Running",
        container(RUNNING),
        conditions=(condition("DisruptionTarget", "True", "EvictionByEvictionAPI", message),),
        deletionTimestamp="2026-03-01T12:08:00Z",
        deletionGracePeriodSeconds=30,
    )
    seen = read_pod(obj)
    assert (seen.disruption, seen.deleting, seen.grace_over) == (
        "EvictionByEvictionAPI: Eviction API: evicting",
        True,
        False,
    )


def test_a_disruption_that_did_not_come_about_is_none() -> None:
    assert read_pod(pod("Running", conditions=(condition("DisruptionTarget", "False", "x"),))).disruption == ""


def test_a_pod_without_grace_left_is_as_good_as_gone() -> None:
    seen = read_pod(pod("Running", deletionTimestamp="2026-03-01T12:08:00Z", deletionGracePeriodSeconds=0))
    assert (seen.deleting, seen.grace_over) == (True, True)


@pytest.mark.parametrize(
    ("annotations", "since"),
    [
        pytest.param(
            {}, datetime(2026, 3, 1, 11, tzinfo=UTC), id="the first of the spec, whatever order the status has"
        ),
        pytest.param({"kubectl.kubernetes.io/default-container": "trainer"}, STARTED, id="the one kubectl would take"),
        pytest.param({"kubectl.kubernetes.io/default-container": "typo"}, None, id="one that is not there"),
    ],
)
def test_of_several_containers_one_is_the_members(annotations: dict[str, str], since: datetime | None) -> None:
    proxy = container({"running": {"startedAt": "2026-03-01T11:00:00Z"}}, name="proxy")
    obj = pod("Running", container(RUNNING), proxy, containers=("proxy", "trainer"), annotations=annotations)
    assert read_pod(obj).container.running_since == since


def test_a_pod_fresh_from_its_creation() -> None:
    seen = read_pod({"metadata": {"name": "a", "uid": "u"}, "spec": {"containers": [{"name": "c"}]}})
    assert (seen.phase, seen.node_name, seen.container) == ("Pending", "", ObservedContainer())


# Nodes ------------------------------------------------------------------------------------------------------------


def node(*taints: str, **spec: Any) -> dict[str, Any]:
    """A Node with these taints."""
    entries = [{"key": key, "effect": "NoSchedule"} for key in taints]
    return {
        "metadata": {"name": "worker-7", "labels": {"topology.kubernetes.io/zone": "a"}},
        "spec": {"podCIDR": "10.244.7.0/24", **({"taints": entries} if entries else {}), **spec},
        "status": {"conditions": [condition("Ready", "True")]},
    }


@pytest.mark.parametrize(
    ("obj", "draining"),
    [
        pytest.param(node(), "", id="no taint"),
        pytest.param(node("node.kubernetes.io/unschedulable", unschedulable=True), "", id="cordoned: pods may stay"),
        pytest.param(node("nvidia.com/gpu"), "", id="reserved"),
        pytest.param(node("node.kubernetes.io/unreachable"), "", id="unreachable: heartbeats will tell"),
        pytest.param(node("DeletionCandidateOfClusterAutoscaler"), "", id="a mere candidate"),
        pytest.param(node("nvidia.com/gpu", "karpenter.sh/disrupted"), "karpenter.sh/disrupted", id="karpenter"),
        pytest.param(node("ToBeDeletedByClusterAutoscaler"), "ToBeDeletedByClusterAutoscaler", id="autoscaler"),
        pytest.param(
            node("aws-node-termination-handler/spot-itn"), "aws-node-termination-handler/spot-itn", id="spot notice"
        ),
    ],
)
def test_the_taint_that_says_that_pods_must_go(obj: dict[str, Any], draining: str) -> None:
    seen = read_node(obj)
    assert (seen.name, seen.labels, seen.draining, seen.gone) == (
        "worker-7",
        {"topology.kubernetes.io/zone": "a"},
        draining,
        False,
    )


# Restarts of all containers, and what nodes say of their end ---------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "since"),
    [
        (
            (condition("AllContainersRestarting", "True", "RestartAllContainersStarted"),),
            datetime(2026, 3, 1, 12, tzinfo=UTC),
        ),
        ((condition("AllContainersRestarting", "False"),), None),
        ((), None),
    ],
)
def test_since_when_all_containers_of_a_pod_are_being_restarted(conditions: Any, since: datetime | None) -> None:
    assert read_pod(pod("Running", container(RUNNING), conditions=conditions)).restarting_since == since


def raw_node(*conditions: dict[str, Any], taints: tuple[dict[str, str], ...] = ()) -> dict[str, Any]:
    """A Node that is ready."""
    ready = condition("Ready", "True", "KubeletReady")
    return {
        "metadata": {"name": "n", "resourceVersion": "7"},
        "spec": {"taints": list(taints)},
        "status": {"conditions": [ready, *conditions]},
    }


@pytest.mark.parametrize(
    ("obj", "draining", "maintenance"),
    [
        pytest.param(raw_node(), "", "", id="ready"),
        *(
            pytest.param(raw_node(condition(kind, "True")), kind, "", id=kind)
            for kind in ("GracefulNodeShutdownInProgress", "DrainInProgress", "Drained", "MaintenanceInProgress")
        ),
        pytest.param(
            raw_node(condition("DrainInProgress", "True", "Upgrade", "to 1.38")),
            "DrainInProgress: to 1.38",
            "",
            id="why",
        ),
        pytest.param(raw_node(condition("DrainInProgress", "False")), "", "", id="a drain that is over"),
        pytest.param(raw_node(condition("DrainInProgress", "Unknown")), "", "", id="nobody knows"),
        pytest.param(raw_node(condition("MaintenancePlanned", "True")), "", "MaintenancePlanned", id="planned"),
        pytest.param(
            raw_node(taints=({"key": "readiness.k8s.io/NetworkReady", "effect": "NoSchedule"},)),
            "readiness.k8s.io/NetworkReady",
            "",
            id="its network is not ready",
        ),
        pytest.param(
            raw_node(taints=({"key": "readiness.k8s.io/CacheWarm", "effect": "PreferNoSchedule"},)),
            "",
            "",
            id="it would only rather not be used",
        ),
        pytest.param(raw_node(taints=({"key": "nvidia.com/gpu", "effect": "NoSchedule"},)), "", "", id="another taint"),
    ],
)
def test_what_a_node_says_of_its_end(obj: dict[str, Any], draining: str, maintenance: str) -> None:
    read = read_node(obj)
    assert (read.draining, read.maintenance) == (draining, maintenance)
