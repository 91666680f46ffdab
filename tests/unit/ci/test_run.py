"""CI runs the simulator and makes releases beside its tests: what fails fails it, and nothing stays behind."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from rendezvous_docs.references import TOP
from simulation.whole import test_elections, test_neighbourhoods, test_openings, test_restores, test_scenarios

SECONDS = 200.0
"""What is idle is waiting for a busy machine."""

MAKE = """#!/usr/bin/env bash
echo "$*" >>made.txt
case $* in
  simulate*) eval "$SIMULATES" ;;
  *ARGS=tests/integration/release*) eval "$RELEASES" ;;
  test*) eval "$TESTS" ;;
  e2e) eval "$E2E" ;;
esac
"""
"""Stands for make. The simulator says when it runs; a test may wait for that."""

GOES_ON = 'echo "$$" >simulating.txt; sleep 1000'
UNTIL_RELEASED = "until [ -e released ]; do sleep 0.05; done"
AS_SOON_AS_IT_SIMULATES = "until [ -s simulating.txt ]; do sleep 0.05; done"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(TOP / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    make = tmp_path / "bin" / "make"
    make.write_text(MAKE)
    make.chmod(0o755)
    return tmp_path


def begin(
    checkout: Path, *, simulates: str = "true", tests: str = "true", releases: str = "true", e2e: str = "true"
) -> "subprocess.Popen[str]":
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    played = {"SIMULATES": simulates, "TESTS": tests, "RELEASES": releases, "E2E": e2e}
    return subprocess.Popen(
        [checkout / ".ci" / "run"],
        env={**os.environ, "PATH": path, **played},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(checkout: Path, **played: str) -> tuple[int, str]:
    ci = begin(checkout, **played)
    said, _ = ci.communicate(timeout=SECONDS)
    return ci.returncode, said


def simulating(checkout: Path) -> bool:
    said = checkout / "simulating.txt"
    if not said.exists() or not (process := said.read_text()):
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return True


def test_it_runs_beside_the_tests_and_in_the_end_says_how_many_schedules_there_were(checkout: Path) -> None:
    code, said = run(checkout, simulates="echo $$ >simulating.txt; echo 4,000 of 4,000", tests=AS_SOON_AS_IT_SIMULATES)
    assert code == 0, said
    assert "4,000 of 4,000" in said
    made = (checkout / "made.txt").read_text().splitlines()
    tests = [line for line in made if not line.startswith("simulate")]
    assert tests[:3] == ["lint", "test WITHOUT=tests/integration/release", "matrix-slice"]
    assert sorted(tests[3:]) == ["e2e", "test ARGS=tests/integration/release WORKERS=1"]


def test_what_make_test_leaves_out_runs_beside_the_node(checkout: Path) -> None:
    code, said = run(checkout, releases="echo both are equal; touch released", e2e=UNTIL_RELEASED)
    assert code == 0, said
    assert "both are equal" in said


@pytest.mark.parametrize("what", ["simulates", "releases"])
def test_what_fails_beside_them_fails_ci_and_its_story_is_shown(checkout: Path, what: str) -> None:
    code, said = run(checkout, **{what: "echo seed 17 is broken; echo 3,000 so far >&2; exit 1"})
    assert code == 1
    assert "seed 17 is broken" in said
    assert "3,000 so far" in said


def test_it_goes_on_where_make_test_ended_and_with_those_there_are_five_thousand(checkout: Path) -> None:
    run(checkout)
    made = re.findall(r"simulate SEEDS=(\d+):(\d+) .*--schedule (\w+)", (checkout / "made.txt").read_text())
    assert {schedule: int(first) for first, _, schedule in made} == {
        "everything": test_scenarios.SCENARIOS,
        "openings": test_openings.SCENARIOS,
        "restores": test_restores.SCENARIOS,
        "elections": test_elections.SCENARIOS,
        "neighbourhoods": test_neighbourhoods.SCENARIOS,
    }
    assert sum(int(end) for _, end, _ in made) >= 5_000


def test_after_a_test_that_fails_nothing_goes_on(checkout: Path) -> None:
    code, said = run(checkout, simulates=GOES_ON, tests=f"{AS_SOON_AS_IT_SIMULATES}; exit 7")
    assert code == 7, said
    eventually(lambda: not simulating(checkout), "the simulator has ended")


def test_after_a_test_on_a_node_that_fails_no_release_is_made_any_more(checkout: Path) -> None:
    code, said = run(checkout, releases=GOES_ON, e2e=f"{AS_SOON_AS_IT_SIMULATES}; exit 7")
    assert code == 7, said
    eventually(lambda: not simulating(checkout), "nothing is made any more")


@pytest.mark.parametrize("whom", ["all, as Ctrl-C does", "only CI itself"])
def test_who_interrupts_it_leaves_nothing_behind(checkout: Path, whom: str) -> None:
    ci = begin(checkout, simulates=GOES_ON, tests=f"{AS_SOON_AS_IT_SIMULATES}; exec sleep 5")
    eventually(lambda: simulating(checkout), "the simulator runs")
    if whom == "only CI itself":
        ci.terminate()
    else:
        os.killpg(ci.pid, signal.SIGINT)
    assert ci.wait(SECONDS) != 0
    eventually(lambda: not simulating(checkout), "the simulator has ended")
