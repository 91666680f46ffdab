"""A device that a pod's node reports as unhealthy, on the real API server: handed over to a spare, or nothing.

The kubelet reports it in `allocatedResourcesStatus`, which is on since Kubernetes 1.36.
"""

from collections.abc import Callable

import pytest

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects
from integration.pods.pod_run import PodRun
from integration.pods.test_pods import LIMIT, assert_told_at_once, stand
from integration.pods.test_pods_that_cannot_come import condition
from kube_rendezvous.membership.identity import Identity

MakeMember = Callable[[Identity], PodMember]

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def report(pods: PodObjects) -> Callable[[str, str, str], None]:
    """``report(pod, health, message)``; skips where the API server does not keep it."""

    def say(name: str, health: str, message: str = "") -> None:
        pods.report_device(name, health, message)
        if "allocatedResourcesStatus" not in pods.get(name)["status"]["containerStatuses"][0]:
            pytest.skip("this API server keeps no health of devices (Kubernetes before 1.36)")

    return say


def named_device(pods: PodObjects, pod: str) -> str:
    """What is to be said of it: what the kubelet says of the illness is kept by newer API servers only."""
    (allocated,) = pods.get(pod)["status"]["containerStatuses"][0]["allocatedResourcesStatus"]
    (device,) = allocated["resources"]
    name = f"{allocated['name']} {device['resourceID']}"
    return f"{name}: {device['message']}" if device.get("message") else name


def test_with_a_spare_it_is_handed_over_and_a_spare_again_when_the_device_recovers(
    run: PodRun, pods: PodObjects, member: MakeMember, report: Callable[..., None]
) -> None:
    run.create(minNodes=2, maxNodes=2, failurePolicy={"quarantine": {"losses": 2, "windowSeconds": 600}})
    first, ailing = stand(*(member(pods.run(f"trainer-{n}", "run")) for n in range(2)))
    spare = member(pods.run("trainer-2", "run"))
    waiting = spare.join()
    run.until(lambda now: now.standby == 1, "a spare")
    report("trainer-1", "Unhealthy", "ECC errors")
    assert_told_at_once(first, ailing)
    forming = run.status.forming
    assert forming is not None
    device = named_device(pods, "trainer-1")
    said = f"{ailing.name}: a device of its pod trainer-1 is unhealthy ({device})"
    assert (forming.reason, forming.message) == ("DeviceUnhealthy", said)
    aside = ailing.join()
    first.join()
    assert waiting.result(LIMIT).rank == 1
    status = run.status
    assert (status.round, status.ranks, status.standby) == (2, (first.name, spare.name), 0)
    assert device in condition(status, "DevicesUnhealthy")
    assert {loss.reason for loss in status.recent_losses} == {"DeviceUnhealthy"}
    assert not aside.done(), "it waits until it is well"
    report("trainer-1", "Healthy")
    status = run.until(lambda now: now.standby == 1, "it stands by")
    assert (status.round, status.forming, condition(status, "DevicesUnhealthy")) == (2, None, "")


def test_without_a_spare_nobody_is_disturbed_until_one_comes(
    run: PodRun, pods: PodObjects, member: MakeMember, report: Callable[..., None]
) -> None:
    run.create(minNodes=2, maxNodes=2)
    first, ailing = stand(*(member(pods.run(f"trainer-{n}", "run")) for n in range(2)))
    report("trainer-1", "Unhealthy", "ECC errors")
    status = run.until(lambda now: condition(now, "DevicesUnhealthy"), "it is named")
    assert ailing.name in condition(status, "DevicesUnhealthy")
    assert (status.round, status.forming) == (1, None)
    assert not first.told
    assert not ailing.told
    spare = member(pods.run("trainer-2", "run")).join()
    assert_told_at_once(first, ailing)
    first.join()
    assert spare.result(LIMIT).rank == 1
    assert run.status.history[0].reason == "DeviceUnhealthy"
