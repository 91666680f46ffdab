"""Whatever ends a long command, nothing that it has started runs on: workers in sessions of their own neither."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from marked_processes import running

TOP = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 60.0
NOT_HANDED_ON = ("ARGS", "KUBECONFIG", "MAKEFLAGS", "MFLAGS")  # what `make test` was given is not meant for others
INTERRUPTED, KILLED = 128 + signal.SIGINT, 128 + signal.SIGKILL
# Starts a worker as torchrun does, in another session; and this one is deaf. Both say when they are there.
LAUNCHER = """#!/bin/sh
setsid sh -c 'trap "" TERM INT HUP QUIT; echo worker >>"$SAYS"; while :; do sleep 0.1; done' &
echo launcher >>"$SAYS"
wait
"""
COMMAND = """
import os, sys, time
from pathlib import Path
from rendezvous_local.processes import ChildProcess
from rendezvous_local.supervised import run_supervised

def main() -> int:
    launcher = ChildProcess("launcher", [os.environ["LAUNCHER"]], log=None)
    try:
        launcher.start()
        {body}
    finally:
        launcher.stop()
        with open(os.environ["SAYS"], "a") as says:
            says.write("in order\\n")

run_supervised(main, orderly_seconds={orderly_seconds})
"""
WAITS = "time.sleep(600)"
DOES_NOT_LISTEN = """
        while True:
            try:
                time.sleep(600)
            except KeyboardInterrupt:
                continue"""
ENDS = """
        while len(Path(os.environ["SAYS"]).read_text().splitlines()) < 2:
            time.sleep(0.01)
        return 7"""

Start = Callable[[list[str]], "subprocess.Popen[bytes]"]


@pytest.fixture
def mark() -> str:
    """In the environment of all that a command starts."""
    return f"SUPERVISED_TEST={uuid.uuid4()}"


@pytest.fixture
def says(tmp_path: Path) -> Path:
    """What launcher and worker have said."""
    file = tmp_path / "says"
    file.touch()
    return file


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """In the place of torchrun, and of etcd."""
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("launcher", "etcd", "kube-apiserver", "kubectl"):
        (assets / name).write_text(LAUNCHER)
        (assets / name).chmod(0o755)
    return assets / "launcher"


@pytest.fixture
def start(mark: str, says: Path, launcher: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a command in a session of its own, and waits until its launcher and its worker are there."""
    name, value = mark.split("=")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {
        **{key: value for key, value in os.environ.items() if key not in NOT_HANDED_ON},
        "PYTHONPATH": os.pathsep.join([str(TOP / "deploy" / "development"), str(TOP / "tests")]),
        "KUBEBUILDER_ASSETS": str(launcher.parent),
        "TMPDIR": str(temporary),
        "LAUNCHER": str(launcher),
        "SAYS": str(says),
        name: value,
    }
    started = []

    def start(command: list[str]) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(command, env=environment, cwd=TOP, start_new_session=True)
        started.append(process)

        def both_are_there() -> bool:
            return {"launcher", "worker"} <= set(says.read_text().splitlines())

        eventually(lambda: both_are_there() or process.poll() is not None, "launcher and worker", LIMIT_SECONDS)
        assert both_are_there(), f"the command ended before that, with status {process.poll()}"
        return process

    yield start
    for pid in running(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for process in started:
        process.wait(LIMIT_SECONDS)


def python(body: str, orderly_seconds: float = LIMIT_SECONDS) -> list[str]:
    return [sys.executable, "-c", COMMAND.format(body=body, orderly_seconds=orderly_seconds)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("whole_group", [False, True], ids=["to the command alone", "to its group"])
def test_nothing_is_left_after_a_signal(start: Start, mark: str, number: signal.Signals, whole_group: bool) -> None:
    command = start(python(WAITS))
    (os.killpg if whole_group else os.kill)(command.pid, number)
    status = command.wait(LIMIT_SECONDS)
    assert (running(mark), status) == ([], INTERRUPTED)


def test_nothing_is_left_where_a_process_of_somebody_has_a_name_that_is_no_text(
    start: Start, mark: str, tmp_path: Path
) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff"
    os.symlink(shutil.which("sleep") or "", odd)
    with subprocess.Popen([odd, "600"]) as somebody:
        command = start(python(WAITS))
        command.send_signal(signal.SIGTERM)
        command.wait(LIMIT_SECONDS)
        somebody.kill()
    assert running(mark) == []


def test_nothing_is_left_of_a_command_that_does_not_listen(start: Start, mark: str) -> None:
    command = start(python(DOES_NOT_LISTEN, orderly_seconds=0.2))
    command.send_signal(signal.SIGTERM)
    status = command.wait(LIMIT_SECONDS)
    assert (running(mark), status) == ([], KILLED)


def test_nothing_is_left_of_a_command_that_has_ended_by_itself_and_its_status_is_kept(start: Start, mark: str) -> None:
    status = start(python(ENDS)).wait(LIMIT_SECONDS)
    assert (running(mark), status) == ([], 7)


def test_a_command_whose_supervisor_was_killed_ends_in_order(start: Start, says: Path) -> None:
    start(python(WAITS)).kill()
    eventually(lambda: "in order" in says.read_text(), "the end of the command", LIMIT_SECONDS)


@pytest.mark.parametrize("target", ["bench", "demo", "endurance", "memory", "soak", "soak-survivors", "torch-tests"])
def test_nothing_is_left_when_make_alone_is_told_to_end(start: Start, mark: str, tmp_path: Path, target: str) -> None:
    arguments = [f"VENV={installed(tmp_path)}"]
    if target == "torch-tests":
        if find_spec("torch") is None:
            pytest.skip("there is no torch, whose tests it runs")
        arguments.append(f"TORCH_SOURCE={tmp_path}")
        for folder in ("elastic", "launcher"):
            (tmp_path / "test" / "distributed" / folder).mkdir(parents=True)
    make = start(["make", target, *arguments])
    make.send_signal(signal.SIGTERM)
    make.wait(LIMIT_SECONDS)
    assert running(mark) == []


def test_nothing_is_left_of_a_command_without_a_target(start: Start, mark: str) -> None:
    command = start([sys.executable, "-m", "performance.operator_growth"])
    command.send_signal(signal.SIGTERM)
    command.wait(LIMIT_SECONDS)
    assert running(mark) == []


def installed(folder: Path) -> Path:
    """What make takes for the environment in which everything is installed: this Python's."""
    environment = folder / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / ".installed").touch()
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return environment
