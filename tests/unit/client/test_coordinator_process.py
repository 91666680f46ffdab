"""The launcher's side of JAX's coordination service: served before it is waited for, gone with its parent."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kube_rendezvous.keeping.coordinator_process import CoordinatorError, CoordinatorProcess

SECONDS = 60.0


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))


@pytest.fixture
def coordinator() -> Iterator[CoordinatorProcess]:
    pytest.importorskip("jaxlib", reason="the service is jaxlib's")
    one = CoordinatorProcess()
    yield one
    one.stop()


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"  # nobody may bury it
    except FileNotFoundError:
        return True


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_services_of_older_rounds_stay_for_those_that_still_enter_them_but_not_for_ever(
    coordinator: CoordinatorProcess,
) -> None:
    ports = [coordinator.serve(number, 1, timeout=SECONDS) for number in range(1, 10)]
    until(lambda: len(children(coordinator.pid)) == 8)
    until(lambda: not listens(ports[0]))
    assert all(listens(port) for port in ports[1:])


def test_everything_ends_with_the_launcher() -> None:
    pytest.importorskip("jaxlib", reason="the service is jaxlib's")
    code = (
        "import json, time\n"
        "from kube_rendezvous.keeping.coordinator_process import CoordinatorProcess\n"
        "one = CoordinatorProcess()\n"
        "print(json.dumps([one.pid, one.serve(1, 2, timeout=60)]), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        pid, port = json.loads(launcher.stdout.readline())
        ours = [pid, *children(pid)]
        assert len(ours) == 2
        launcher.kill()
    until(lambda: all(has_ended(one) for one in ours))
    until(lambda: not listens(port))


def test_a_program_that_has_ended_is_said_so(coordinator: CoordinatorProcess) -> None:
    coordinator.serve(1, 1, timeout=SECONDS)
    os.kill(coordinator.pid, 9)
    with pytest.raises(CoordinatorError, match="ended with status -9"):
        coordinator.serve(2, 1, timeout=SECONDS)
    with pytest.raises(CoordinatorError, match="ended with status -9"):
        coordinator.serve(3, 1, timeout=SECONDS)


def test_without_jaxlib_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jaxlib.py").write_text("raise ModuleNotFoundError(\"No module named 'jaxlib'\")")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    one = CoordinatorProcess()
    try:
        with pytest.raises(CoordinatorError, match=r"jaxlib is not installed for .*install jax on every node"):
            one.serve(1, 1, timeout=SECONDS)
    finally:
        one.stop()
    one.stop()


def test_a_service_that_takes_too_long(coordinator: CoordinatorProcess) -> None:
    with pytest.raises(CoordinatorError, match="not there within 0 s"):
        coordinator.serve(1, 1, timeout=0.0)
    coordinator.serve(2, 1, timeout=SECONDS)  # the late answer is not taken for this one
