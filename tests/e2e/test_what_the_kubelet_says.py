"""What a real kubelet says: of pods that cannot start beside a run, of a resize in place, of the health of devices."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.controllers.resizing import (
    condition,
    delete_by_force,
    no_false_alarm,
    ranks_by_pod,
    seconds_from_told_to_round,
)
from e2e.eventually import eventually
from e2e.example_overlay import Patch, add, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.job_run import FOR_EVER
from e2e.made_up_devices import MadeUpDevices
from e2e.running_example import RunningExample
from e2e.site import Site

JOB = "torchrun-job"
LIMIT = 240.0
HELD_UP_SECONDS = 10.0  # generous; a last call is 30 s
DEVICE = "example.com/device"
CONTAINER = "/spec/template/spec/containers/0"
MORE = Patch("Rendezvous", (replace("/spec/maxNodes", 8),))
THREE_OF_FOUR = Patch("Rendezvous", (replace("/spec/maxNodes", 3),))
ONE_DEVICE_EACH = Patch(
    "Job",
    (
        add(f"{CONTAINER}/resources/requests/{DEVICE.replace('/', '~1')}", "1"),
        add(f"{CONTAINER}/resources/limits", {DEVICE: "1"}),
    ),
)


def pod_like(run: RunningExample, model: str, name: str, **container: Any) -> dict[str, Any]:
    """A pod as the Job's, by itself, whose container differs in this."""
    obj = run.kubectl.json("-n", run.namespace, "get", "pod", model)
    spec = {
        key: value
        for key, value in obj["spec"].items()
        if key not in ("nodeName", "hostname", "subdomain", "schedulingGroup")
    }
    first = spec["containers"][0]
    first["env"] = [one for one in first.get("env", ()) if one["name"] != "JOB_COMPLETION_INDEX"]
    first |= {key: first["env"] + value if key == "env" else value for key, value in container.items()}
    labels = {"rendezvous.dev/name": run.name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def failed_beside_another(pod: dict[str, Any]) -> dict[str, Any]:
    """The pod with a container that runs on when the first one has failed, and nobody starts that again."""
    (first,) = pod["spec"]["containers"]
    pod["spec"]["containers"].append(first | {"name": "proxy", "command": ["sleep", "600"]})
    pod["spec"]["restartPolicy"] = "Never"
    return pod


def create(run: RunningExample, pod: dict[str, Any]) -> None:
    """As somebody does by hand."""
    run.kubectl("-n", run.namespace, "create", "-f", "-", stdin=json.dumps(pod))


def test_pods_that_the_kubelet_cannot_start_hold_nobody_up_and_join_when_they_can(
    examples: Examples, figures: Figures
) -> None:
    with examples.start(JOB, [FOR_EVER, MORE]) as run:
        run.wait_for_first_round(4, LIMIT)
        model = run.ranked[0].pod_name
        setting = {"name": "SETTING", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "one"}}}
        for pod in (
            pod_like(run, model, "imageless", image="localhost/nobody/has-this:1"),
            pod_like(run, model, "unconfigured", env=[setting]),
            pod_like(run, model, "crashing", command=["false"], args=[]),
        ):
            pod["spec"]["restartPolicy"] = "Always"
            create(run, pod)
        create(run, failed_beside_another(pod_like(run, model, "failed", command=["false"], args=[])))
        for pod_name, why in (
            ("imageless", "Image"),
            ("unconfigured", "CreateContainerConfigError"),
            ("crashing", "CrashLoopBackOff"),
            ("failed", "ended for good (exit code 1, Error)"),
        ):
            eventually(lambda said=(pod_name, why): all(x in condition(run, "PodsHeldUp") for x in said), why, LIMIT)
        seconds = seconds_from_told_to_round(run, lambda: delete_by_force(run, ranks_by_pod(run)[1][1]))
        figures.add("pod deleted beside four that cannot start: from told to the next round", seconds, "s")
        assert seconds < HELD_UP_SECONDS, run.waited_for()
        run.wait_for_round(4, LIMIT)
        trainer = run.kubectl.json("-n", run.namespace, "get", "pod", model)["spec"]["containers"][0]["image"]
        run.kubectl("-n", run.namespace, "create", "configmap", "settings", "--from-literal=one=1")
        run.wait_for_round(5, LIMIT)
        run.kubectl("-n", run.namespace, "set", "image", "pod/imageless", f"trainer={trainer}")
        run.wait_for_round(6, LIMIT)
        assert {"imageless", "unconfigured"} < {member.pod_name for member in run.ranked}
        assert {past.reason for past in run.rendezvous.status.history} <= {
            *("FirstRound", "Growth", "PodDeleted", "MemberDeleted")
        }
        no_false_alarm(run)


def test_a_pod_that_is_resized_in_place_trains_on_in_its_round(examples: Examples) -> None:
    with examples.start(JOB, [FOR_EVER]) as run:
        run.wait_for_first_round(4, LIMIT)
        before, resized = run.state(), run.ranked[1].pod_name
        size = {"name": "trainer", "resources": {"requests": {"cpu": "150m"}}}
        body = json.dumps({"spec": {"containers": [size]}})
        run.kubectl("-n", run.namespace, "patch", "pod", resized, "--subresource=resize", "-p", body)
        eventually(lambda: cpu_in_force(run, resized) == "150m", "the kubelet has resized it", LIMIT)
        run.wait_for_later_steps({name: run.latest_step(name) for name in run.pods}, LIMIT)
        assert run.state() == before


def cpu_in_force(run: RunningExample, pod: str) -> str:
    """What the kubelet says that the container has."""
    status = run.kubectl.json("-n", run.namespace, "get", "pod", pod)["status"]["containerStatuses"][0]
    return str(status["resources"]["requests"]["cpu"])


@pytest.fixture
def devices(site: Site) -> Iterator[MadeUpDevices]:
    """One for each pod."""
    site.needs_this_machine()
    with MadeUpDevices(DEVICE, 4) as devices:
        yield devices


def test_a_member_whose_device_the_kubelet_calls_unhealthy_makes_room_for_a_spare(
    examples: Examples, figures: Figures, devices: MadeUpDevices
) -> None:
    with examples.start(JOB, [FOR_EVER, THREE_OF_FOUR, ONE_DEVICE_EACH]) as run:
        run.wait("round of three with a spare", lambda it: it.status.world_size == 3 and it.status.standby == 1, LIMIT)
        ailing = run.ranked[1].pod_name
        device = device_of(run, ailing)
        seconds = seconds_from_told_to_round(run, lambda: devices.call_unhealthy(device))
        figures.add("device unhealthy, as the kubelet says: from told to the next round", seconds, "s")
        status = run.wait_for_round(3, LIMIT).status
        assert (status.round, status.history[0].reason) == (2, "DeviceUnhealthy")
        assert f"{DEVICE} {device}" in status.history[0].message
        assert ailing not in {member.pod_name for member in run.ranked}
        eventually(lambda: device in condition(run, "DevicesUnhealthy"), "it is named", LIMIT)
        devices.call_unhealthy()
        well = run.wait("a spare again", lambda it: it.status.standby == 1, LIMIT)
        eventually(lambda: not condition(run, "DevicesUnhealthy"), "none is unhealthy", LIMIT)
        assert well.status.round == 2
        no_false_alarm(run)


def device_of(run: RunningExample, pod: str) -> str:
    """Which one it has."""
    status = run.kubectl.json("-n", run.namespace, "get", "pod", pod)["status"]["containerStatuses"][0]
    ((resource,),) = [one["resources"] for one in status["allocatedResourcesStatus"] if one["name"] == DEVICE]
    return str(resource["resourceID"])
