"""The workflow files are right, pinned, and call what is there: two linters for them, and the Makefile."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

from rendezvous_docs.references import TOP
from rendezvous_local.binaries import find_or_build
from rendezvous_local.programs import ACTIONLINT
from rendezvous_release.images.building import RECIPES

WORKFLOWS = sorted((TOP / ".github" / "workflows").glob("*.yml"))
SECONDS = 120.0


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in command], cwd=TOP, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_actionlint_finds_nothing() -> None:
    assert len(WORKFLOWS) == 3
    done = run(find_or_build(ACTIONLINT), "-no-color", *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_is_awake(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on", "runs-at"))
    assert run(find_or_build(ACTIONLINT), "-no-color", wrong).returncode != 0


def test_zizmor_finds_nothing_that_a_stranger_could_use() -> None:
    done = run(Path(sys.executable).with_name("zizmor"), "--offline", "--no-progress", *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_action_is_pinned_to_a_commit() -> None:
    used = [line for file in WORKFLOWS for line in re.findall(r"uses: (\S+)", file.read_text())]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []


def test_a_release_pushes_only_what_was_made_twice_and_signs_it_where_it_lies() -> None:
    job = yaml.safe_load((TOP / ".github" / "workflows" / "release.yml").read_text())["jobs"]["artifacts"]
    making, signing = (
        next(step["run"] for step in job["steps"] if word in step.get("run", "")) for word in ("--push", "cosign sign ")
    )
    assert "--same-as build/first" in next(line for line in making.splitlines() if "--push" in line)
    assert job["permissions"]["packages"] == "write"
    assert "/charts/kube-rendezvous:" in signing
    assert f"for image in {' '.join(recipe.name for recipe in RECIPES)};" in signing


def test_every_make_target_that_they_call_is_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    called = {name for file in WORKFLOWS for name in re.findall(r"\bmake ([a-z0-9-]+)", _commands(file))}
    assert {"lint", "test", "e2e", "release"} <= called
    assert called <= targets


def _commands(file: Path) -> str:
    jobs = yaml.safe_load(file.read_text())["jobs"].values()
    return "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
