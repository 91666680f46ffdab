"""`kubectl rendezvous explain` when no operator runs: it says so, and how to start one."""

from datetime import UTC, datetime
from typing import Any

from integration.kubectl.scene import wait_for
from kube_rendezvous.resources.timestamps import format_time
from rendezvous_local.operator_process import OperatorProcess

START = "`python -m kube_rendezvous_operator`"


def test_a_rendezvous_that_no_operator_has_ever_seen(command: Any, scene: Any) -> None:
    run = scene.rendezvous()
    scene.member("trainer-0-x", run)

    story = command("explain", "run").stdout

    assert "No operator has looked at run since it was created" in story
    assert "1 member waits in vain" in story
    assert START in story


def test_a_changed_spec_that_nobody_answers(command: Any, scene: Any, cluster: Any, kubectl: Any) -> None:
    with OperatorProcess(cluster.kubeconfig):
        scene.round_of("trainer-0", "trainer-1")
    kubectl("patch", "rdzv", "run", "-n", scene.namespace, "--type=merge", "-p", '{"spec":{"maxNodes":4}}')

    story = command("explain", "run").stdout

    assert "The last 1 change of the spec of run (generation 2) had no answer yet" in story
    assert START in story


def test_members_that_wait_and_are_counted_by_nobody(command: Any, scene: Any, cluster: Any) -> None:
    with OperatorProcess(cluster.kubeconfig):
        run = scene.round_of("trainer-0", "trainer-1", maxNodes=4)
    scene.member("late-x", run)

    def told() -> str | None:
        story: str = command("explain", "run").stdout
        return story if "does not seem to run" in story else None

    story = wait_for(told)
    assert "1 member waits and sends heartbeats (late-x), but the status counts 0" in story
    assert START in story


def test_a_quarantined_node_is_named_with_the_command_that_lifts_it(command: Any, scene: Any, kubectl: Any) -> None:
    run = scene.rendezvous(failurePolicy={"quarantine": {"losses": 3, "windowSeconds": 600}})
    scene.member("trainer-0-x", run, node_name="gpu-7")
    now = format_time(datetime.now(UTC))
    place = {"place": "node/gpu-7", "since": now, "message": "node/gpu-7 lost 3 members within 600 s"}
    scene.write_status("run", {"observedGeneration": run.generation, "state": "Waiting", "quarantined": [place]})

    story = command("explain", "run").stdout

    assert "The node gpu-7 is quarantined" in story
    assert "it lost 3 members or more within 10m" in story
    assert "trainer-0-x waits there in vain" in story
    lift = f"kubectl -n {scene.namespace} annotate rdzv run --overwrite rendezvous.dev/trusted-places=node/gpu-7"
    assert f"`{lift}`" in story
    assert kubectl(*lift.split()[1:]).returncode == 0
