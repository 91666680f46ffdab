"""`kubectl rendezvous explain` names what holds a rendezvous up, and the next step, while an operator runs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.resources.names import CLIENT_MANAGER, MANAGED_BY_LABEL
from kube_rendezvous.resources.timestamps import format_time

pytestmark = pytest.mark.usefixtures("operator")

NO_GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_GPU}],
}


def waiting(container_reason: str, message: str, restarts: int = 0) -> dict[str, Any]:
    """The status of a pod whose container waits."""
    state = {"waiting": {"reason": container_reason, "message": message}}
    container = {
        "name": "trainer",
        "image": "trainer",
        "imageID": "",
        "ready": False,
        "restartCount": restarts,
        "state": state,
    }
    return {"phase": "Pending", "containerStatuses": [container]}


def test_pods_that_wait_for_gpus_are_named_with_the_answer_of_the_scheduler(command: Any, scene: Any) -> None:
    run = scene.rendezvous(minNodes=3)
    uid = scene.pod("trainer-0")
    scene.member("trainer-0-x", run, pod_name="trainer-0", pod_uid=uid)
    for name in ("trainer-1", "trainer-2"):
        scene.pod(name)
        scene.pod_status(name, UNSCHEDULABLE)
    scene.wait(lambda r: r.status.forming and r.status.forming.arrived == 1)

    answer = command("explain", "run")

    assert answer.returncode == 0, answer.stderr
    assert f"2 pods cannot be scheduled (trainer-1, trainer-2): {NO_GPU}" in answer.stdout
    assert f"`kubectl -n {scene.namespace} describe pod trainer-1`" in answer.stdout
    assert "Free GPUs" in answer.stdout
    assert "1 of 3 required nodes are here" in answer.stdout


@pytest.mark.parametrize(
    ("status", "sentence", "step"),
    [
        (
            waiting("ImagePullBackOff", 'Back-off pulling image "trianer"'),
            'Pod trainer-0 cannot start for want of the image: ImagePullBackOff: Back-off pulling image "trianer".',
            "Correct the image",
        ),
        (
            waiting("CrashLoopBackOff", "back-off 40s restarting failed container", restarts=4),
            "Pod trainer-0 crashes before joining: CrashLoopBackOff (4 restarts).",
            "logs trainer-0 --previous",
        ),
    ],
)
def test_a_pod_that_cannot_start_is_named_with_what_holds_it(
    command: Any, scene: Any, status: dict[str, Any], sentence: str, step: str
) -> None:
    scene.rendezvous()
    scene.pod("trainer-0")
    scene.pod_status("trainer-0", status)
    scene.wait(lambda r: r.status.observed_generation)

    story = command("explain", "run").stdout

    assert sentence in story
    assert step in story


def test_a_label_mistyped_in_one_pod_is_found_and_the_command_corrects_it(
    command: Any, scene: Any, kubectl: Any
) -> None:
    scene.rendezvous("my-run")
    scene.pod("trainer-0", "my-run")
    scene.pod("trainer-1", "my-rnu")
    scene.wait(lambda r: r.status.observed_generation, "my-run")

    document = json.loads(command("explain", "my-run", "-o", "json").stdout)

    [finding] = [f for f in document["findings"] if f["cause"] == "NameMistypedInLabel"]
    assert finding["subjects"] == ["trainer-1"]
    assert "labelled rendezvous.dev/name=my-rnu, a name that no Rendezvous here has" in finding["sentence"]
    step = finding["nextStep"].split("`")[1]
    assert kubectl(*step.split()[1:]).returncode == 0, step
    assert "Mistyped" not in command("explain", "my-run", "-o", "json").stdout


def test_a_run_id_mistyped_in_one_pod_is_found_in_its_arguments(command: Any, scene: Any) -> None:
    scene.rendezvous("my-run")
    scene.pod("trainer-0", "my-run", ("torchrun", "--rdzv-id=my-run"))
    scene.pod("trainer-1", "my-run", ("torchrun", "--rdzv-id=my_run-2"))
    scene.wait(lambda r: r.status.observed_generation, "my-run")

    story = command("explain", "my-run").stdout

    assert "Pod trainer-1 passes --rdzv-id=my_run-2 but is labelled for my-run" in story
    assert "Write --rdzv-id=my-run where the node is started" in story
    assert "Pod trainer-0 passes" not in story


def test_a_node_that_made_a_rendezvous_of_its_own_by_a_mistyped_name_is_refused_there(scene: Any) -> None:
    """Its label names another one. (Where the operator sees no pods, `explain` tells: a unit test has its words.)"""
    scene.rendezvous("my-run")
    stray = scene.rendezvous("my-rn", labels={MANAGED_BY_LABEL: CLIENT_MANAGER})
    uid = scene.pod("trainer-1", "my-run")
    scene.member("trainer-1-x", stray, pod_name="trainer-1", pod_uid=uid)

    def refused() -> list[str]:
        listed = scene.connection.request("GET", f"/api/v1/namespaces/{scene.namespace}/events")
        return [one["message"] for one in listed["items"] if "trainer-1-x" in one["message"]]

    eventually(refused, "an Event of the refused Member")
    assert "may not join" in refused()[0]


def test_a_closed_rendezvous_says_who_closed_it_why_and_how_to_open_it(command: Any, scene: Any) -> None:
    scene.rendezvous()
    assert command("close", "run", "--reason", "disk full").returncode == 0

    story = command("explain", "run").stdout

    assert "A person closed run" in story
    assert "saying: disk full." in story
    assert f"`kubectl rendezvous reopen run -n {scene.namespace}`" in story


def test_a_round_that_stands_is_told_with_its_members_and_pods(command: Any, scene: Any) -> None:
    scene.round_of("trainer-0", "trainer-1")

    story = command("explain", "run").stdout

    assert "Nothing holds it up." in story
    assert "Round 1 was formed" in story
    assert "because of FirstRound" in story
    header, *rows = story.split("Who is in")[1].splitlines()[1:4]
    assert header.split() == ["RANK", "MEMBER", "POD", "NODE", "HEARTBEAT"]
    assert [row.split()[:4] for row in rows] == [
        ["0", "trainer-0-x", "trainer-0", "-"],
        ["1", "trainer-1-x", "trainer-1", "-"],
    ]


def test_a_spare_is_told_that_the_world_is_full(command: Any, scene: Any) -> None:
    run = scene.round_of("trainer-0", "trainer-1")
    scene.member("late-x", run)
    scene.wait(lambda r: r.status.standby == 1)

    story = command("explain", "run").stdout

    assert "1 member on standby (late-x): the world is full (maxNodes is 2)." in story
    assert '{"spec":{"maxNodes":3}}' in story


def test_a_pod_that_is_evicted_is_told_with_its_rank(command: Any, scene: Any) -> None:
    scene.round_of("trainer-0", "trainer-1")
    notice = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    scene.pod_status("trainer-1", {"conditions": [notice]})
    scene.wait(lambda r: r.status.forming and r.status.forming.interrupts)

    story = command("explain", "run").stdout

    assert "Pod trainer-1 (rank 1) has to go: EvictionByEvictionAPI: Eviction API: evicting." in story
    assert "PodEvicted" in story
    assert "trainer-0-x was told" in story
    assert "trainer-1-x was told" not in story


def test_a_pod_whose_containers_are_all_restarted_in_place_is_told_so(command: Any, scene: Any) -> None:
    scene.round_of("trainer-0", "trainer-1")
    why = "container exited with restart policy rule"
    restarting = {"type": "AllContainersRestarting", "status": "True", "reason": "Started", "message": why}
    later = format_time(datetime.now(UTC) + timedelta(seconds=2))
    scene.pod_status("trainer-1", {"conditions": [{**restarting, "lastTransitionTime": later}]})
    scene.wait(lambda r: r.status.forming and r.status.forming.interrupts)
    eventually(lambda: scene.member_names() == ["trainer-0-x"], "the lost Member is gone")

    story = command("explain", "run").stdout

    what = f"all its containers are being restarted in place (Started: {why})"
    assert f"Pod trainer-1 is without its process: {what}." in story
    assert "trainer-1 runs but has not joined" not in story
    assert "ContainersRestarting" in story
