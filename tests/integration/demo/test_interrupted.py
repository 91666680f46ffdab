"""Ctrl-C at any step of `make demo` ends it in order: nothing runs on, and nothing is left on the disk."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from marked_processes import running
from rendezvous_demo.nodes import MARK_OF_ALL, end_all

pytest.importorskip("rich", reason="the demo shows itself with rich")

TOP = Path(__file__).resolve().parents[3]
LIMIT_SECONDS = 120.0
STEPS = {
    "while the control plane starts": "A control plane with the custom resources",
    "while the operator starts": "export KUBECONFIG=",
    "while nodes start": "node-0: ",
    "while they train": "training, rank",
    "after a loss": "is gone, with all its processes",
}


@pytest.fixture
def mark() -> str:
    """In the environment of all that the demo starts."""
    return f"DEMO_TEST={uuid.uuid4()}"


@pytest.fixture
def demo(mark: str, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """The demo, on a control plane of its own."""
    pytest.importorskip("torch", reason="the demo trains")
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    name, value = mark.split("=")
    variables = {"PYTHONPATH": str(TOP / "deploy" / "development"), "TMPDIR": str(tmp_path), name: value}
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "rendezvous_demo", "--plain"],
        env={**environment, **variables},
        cwd=TOP,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    yield process
    for pid in running(mark):
        os.kill(pid, signal.SIGKILL)
    process.wait(LIMIT_SECONDS)


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_left_after_ctrl_c(demo: "subprocess.Popen[str]", mark: str, tmp_path: Path, step: str) -> None:
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if STEPS[step] in line:
            break
    else:
        pytest.fail(f"the demo ended before that: {''.join(said)}")
    demo.send_signal(signal.SIGINT)
    rest = demo.stdout.read()
    assert demo.wait(LIMIT_SECONDS) == 130, rest
    assert "interrupted; everything was ended and removed" in rest
    assert "Traceback" not in rest
    eventually(lambda: not running(mark), "all that it started has ended", 5.0)
    assert list(tmp_path.iterdir()) == []


def test_a_node_that_was_just_being_started_is_ended_with_the_others(tmp_path: Path) -> None:
    ours, foreign = (
        subprocess.Popen(["sleep", "600"], env={**os.environ, MARK_OF_ALL: str(folder)})
        for folder in (tmp_path, tmp_path / "another")
    )
    try:
        end_all(tmp_path)
        assert ours.wait(5.0) == -signal.SIGKILL
        assert foreign.poll() is None
    finally:
        for process in (ours, foreign):
            process.kill()
            process.wait()
