"""`kubectl rendezvous list|plan|history|close|reopen|watch` on the real API server, with an operator."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.kubectl.scene import wait_for

pytestmark = [pytest.mark.core, pytest.mark.usefixtures("operator")]


def test_list_shows_state_round_sizes_and_rank_0(command: Any, scene: Any) -> None:
    scene.round_of("trainer-0", "trainer-1")
    header, row = command("list").stdout.splitlines()
    assert header.split() == ["NAME", "STATE", "ROUND", "WORLD", "MIN", "MAX", "STANDBY", "RANK-0", "AGE"]
    assert row.split()[:8] == ["run", "Active", "1", "2", "2", "2", "0", "trainer-0-x"]


def test_list_of_all_namespaces_and_wide(command: Any, scene: Any) -> None:
    scene.round_of("trainer-0", "trainer-1")
    header, *rows = command("list", "-A", "-o", "wide").stdout.splitlines()
    assert header.split()[0] == "NAMESPACE"
    assert header.split()[-1] == "VERDICT"
    [row] = [row for row in rows if row.split()[0] == scene.namespace]
    assert row.endswith("Round 1 stands with 2 nodes.")


@pytest.mark.parametrize(("output", "parse"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_list_for_programs_gives_the_objects(command: Any, scene: Any, output: str, parse: Any) -> None:
    scene.rendezvous("one")
    scene.rendezvous("two")
    document = parse(command("list", "-o", output).stdout)
    assert document["kind"] == "List"
    assert [item["metadata"]["name"] for item in document["items"]] == ["one", "two"]
    assert document["items"][0]["apiVersion"] == "rendezvous.dev/v1alpha1"


def test_an_empty_namespace_is_said_to_be_empty(command: Any, scene: Any) -> None:
    answer = command("list")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == f"No Rendezvous in namespace {scene.namespace}.\n"


def test_plan_of_a_loss_with_a_replacement_moves_one_rank_and_writes_nothing(command: Any, scene: Any) -> None:
    before = scene.round_of("trainer-0", "trainer-1", "trainer-2")
    lines = command("plan", "run", "--lose", "trainer-1", "--add", "1").stdout.splitlines()
    assert [line.split() for line in lines[1:5]] == [
        ["RANK", "TODAY", "THEN"],
        ["0", "trainer-0-x", "trainer-0-x"],
        ["1", "trainer-1-x", "newcomer-1", "new", "holder"],
        ["2", "trainer-2-x", "trainer-2-x"],
    ]
    assert "Round 2 would be formed with 3 nodes; 1 of 3 ranks would have another holder than today." in lines[5]
    assert scene.get().resource_version == before.resource_version


def test_plan_says_when_no_round_could_be_formed(command: Any, scene: Any) -> None:
    scene.round_of("trainer-0", "trainer-1", "trainer-2")
    plan = json.loads(command("plan", "run", "--lose", "trainer-1", "-o", "json").stdout)
    assert plan["formed"] is False
    assert plan["verdict"].startswith("No round could be formed: 2 nodes would be left and 3 are required")


def test_plan_of_somebody_unknown_names_who_may_be_meant(command: Any, scene: Any) -> None:
    scene.round_of("trainer-0", "trainer-1")
    answer = command("plan", "run", "--lose", "trainr-1")
    assert answer.returncode == 1
    assert "no pod of one is called trainr-1; did you mean trainer-1" in answer.stderr


def test_a_person_closes_and_opens_again(command: Any, scene: Any) -> None:
    scene.rendezvous()
    closed = command("close", "run")
    assert closed.returncode == 0, closed.stderr
    assert "run is closed: no further round is formed and nobody can join." in closed.stdout
    assert scene.get().status.closed.by == "spec.closed"
    assert "was closed by a person already" in command("close", "run").stdout

    opened = command("reopen", "run")

    assert opened.returncode == 0, opened.stderr
    assert "run is open." in opened.stdout
    assert scene.get().status.closed is None
    assert "nothing was changed" in command("reopen", "run").stdout


def test_a_person_opens_what_a_member_closed(command: Any, scene: Any) -> None:
    scene.round_of("trainer-0", "trainer-1", reopen="Never")
    scene.patch_member("trainer-0-x", closeRequested=True, leaving=True, closeReason="the workers have succeeded")
    scene.wait(lambda r: r.status.closed is not None)
    story = command("explain", "run").stdout
    assert "A member closed run" in story
    assert "the workers have succeeded" in story

    answer = command("reopen", "run")

    assert answer.returncode == 0, answer.stderr
    assert scene.get().status.closed is None
    assert not scene.get().spec.closed


def test_history_tells_the_rounds_oldest_first_and_draws_them(command: Any, scene: Any, tmp_path: Path) -> None:
    scene.round_of("trainer-0", "trainer-1", minNodes=1)
    scene.remove_member("trainer-1-x")
    scene.patch_member("trainer-0-x", afterRound=1)
    scene.wait(lambda r: r.status.round == 2)
    picture, drawing = tmp_path / "rounds.png", tmp_path / "rounds.svg"

    answer = command("history", "run", "--plot", str(picture))

    assert answer.returncode == 0, answer.stderr
    _, first, second, summary, _ = answer.stdout.splitlines()
    assert (first.split()[0], first.split()[5]) == ("1", "FirstRound")
    assert (second.split()[0], second.split()[5], second.split()[-1]) == ("2", "MemberDeleted", "trainer-1-x")
    assert summary.startswith("1 change of membership took")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert command("history", "run", "--plot", str(drawing)).returncode == 0
    assert "<svg" in drawing.read_text()
    assert [r["round"] for r in json.loads(command("history", "run", "-o", "json").stdout)] == [1, 2]


def test_watch_without_a_terminal_prints_one_line_a_change_and_ends_with_ctrl_c(
    scene: Any, environment: Mapping[str, str]
) -> None:
    run = scene.rendezvous(minNodes=1, maxNodes=1)
    argv = [sys.executable, "-m", "kubectl_rendezvous", "watch", "run", "-n", scene.namespace]
    lines: list[str] = []
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        try:
            assert watch.stdout is not None
            lines.append(watch.stdout.readline())
            scene.member("trainer-0-x", run)
            while not all(any(text in line for line in lines) for text in ("stands with 1 node,", "joined.")):
                assert watch.poll() is None
                lines.append(watch.stdout.readline())
            watch.send_signal(signal.SIGINT)
            assert watch.wait(20) == 0
            assert watch.stderr is not None
            assert watch.stderr.read() == ""
        finally:
            watch.kill()
    told = "".join(lines)
    assert "trainer-0-x joined." in told
    assert "rank 0 is trainer-0-x (FirstRound). Came: trainer-0-x." in told
    assert "\x1b" not in told


def test_watch_ends_when_the_rendezvous_is_deleted(scene: Any, environment: Mapping[str, str], kubectl: Any) -> None:
    scene.rendezvous()
    argv = [sys.executable, "-m", "kubectl_rendezvous", "watch", "run", "-n", scene.namespace]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as watch:
        try:
            assert watch.stdout is not None
            watch.stdout.readline()
            kubectl("delete", "rdzv", "run", "-n", scene.namespace)
            assert watch.stdout.read().endswith("run was deleted.\n")
            wait_for(watch.poll)
            assert watch.returncode == 0
        finally:
            watch.kill()
