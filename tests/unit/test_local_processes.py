"""What the local control plane starts never outlives the one who started it, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.operator_process import OperatorProcess
from rendezvous_local.owned_folder import OwnedFolder
from rendezvous_local.processes import ChildProcess
from rendezvous_local.readiness import wait_until_ready

DEAF_TO_SIGTERM = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
OPERATOR = """
import http.server, sys
host, port = [a for a in sys.argv if a.startswith("--http=")][0].removeprefix("--http=").split(":")
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
http.server.HTTPServer((host, int(port)), Healthy).serve_forever()
"""


def eventually(what: str, condition: Callable[[], bool]) -> None:
    wait_until_ready(what, condition, seconds=20, processes=[])


def exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Callable[[str], ChildProcess]]:
    """Starts a shell script that is ended with the test, and waits until it has said "ready"."""
    with ExitStack() as stack:

        def start(script: str) -> ChildProcess:
            child = ChildProcess("the script", ["/bin/sh", "-c", script], log=tmp_path / "log")
            child.start()
            stack.callback(child.kill)
            eventually("the script", lambda: "ready" in child.log_tail())
            return child

        yield start


class TestAChildProcess:
    def test_ends_on_sigterm(self, shell: Callable[[str], ChildProcess]) -> None:
        child = shell("echo ready; exec sleep 100")
        child.stop()

        assert child.exit_code == -signal.SIGTERM
        assert child.pid is not None
        assert not exists(child.pid)

    def test_is_killed_when_it_does_not_end_on_sigterm(self, shell: Callable[[str], ChildProcess]) -> None:
        child = shell(DEAF_TO_SIGTERM)
        child.stop(terminate_seconds=0.2)

        assert child.exit_code == -signal.SIGKILL

    def test_can_be_stopped_while_it_is_paused(self, shell: Callable[[str], ChildProcess]) -> None:
        child = shell("echo ready; exec sleep 100")
        child.pause()
        child.stop()

        assert child.exit_code == -signal.SIGTERM

    def test_can_be_started_again_and_goes_on_with_its_log(self, shell: Callable[[str], ChildProcess]) -> None:
        child = shell("echo ready; exec sleep 100")
        first = child.pid
        child.kill()
        child.start()

        assert child.running
        assert child.pid != first
        eventually("the second line", lambda: child.log_tail() == "ready\nready")

    def test_cannot_be_started_twice(self, shell: Callable[[str], ChildProcess]) -> None:
        with pytest.raises(LocalControlPlaneError, match=r"runs already \(process \d+\)"):
            shell("echo ready; exec sleep 100").start()

    def test_that_was_never_started_can_be_stopped(self, tmp_path: Path) -> None:
        ChildProcess("nothing", ["/bin/true"], log=tmp_path / "log").stop()

    def test_that_cannot_be_executed_is_an_error(self, tmp_path: Path) -> None:
        child = ChildProcess("etcd", [str(tmp_path / "etcd")], log=tmp_path / "log")

        with pytest.raises(LocalControlPlaneError, match=r"cannot start etcd: .*/etcd: No such file"):
            child.start()
        assert not child.running

    def test_outlives_the_thread_that_started_it(self, tmp_path: Path) -> None:
        child = ChildProcess("sleep", ["sleep", "100"], log=tmp_path / "log")
        thread = threading.Thread(target=child.start)
        thread.start()
        thread.join(10)

        assert not child.wait(0.3)
        child.kill()

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has the parent-death signal")
    def test_dies_with_us_even_when_we_are_killed(self, tmp_path: Path) -> None:
        us = f"""
import time
from pathlib import Path
from rendezvous_local.processes import ChildProcess
child = ChildProcess("sleep", ["sleep", "100"], log=Path({str(tmp_path / "log")!r}))
child.start()
print(child.pid, flush=True)
time.sleep(100)
"""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen([sys.executable, "-c", us], stdout=subprocess.PIPE, env=environment) as parent:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            assert exists(child)
            parent.kill()

        eventually("the end of the child", lambda: not exists(child) or zombie(child))


def zombie(process: int) -> bool:
    """Dead, and only not yet collected by an init that is slow to do so."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


class TestWaitingForAServer:
    def test_ends_with_the_log_when_its_process_ends(self, tmp_path: Path) -> None:
        child = ChildProcess("etcd", ["/bin/sh", "-c", "echo data folder is damaged; exit 3"], log=tmp_path / "log")
        child.start()

        with pytest.raises(LocalControlPlaneError, match=r"(?s)etcd ended with exit status 3 .*data folder is damaged"):
            wait_until_ready("etcd", lambda: False, seconds=20, processes=[child])

    def test_has_a_limit(self, shell: Callable[[str], ChildProcess]) -> None:
        with pytest.raises(LocalControlPlaneError, match=r"(?s)etcd was not ready within 0 s.*--- the script\nready"):
            wait_until_ready("etcd", lambda: False, seconds=0.1, processes=[shell("echo ready; exec sleep 100")])


class TestATemporaryFolder:
    @pytest.fixture(autouse=True)
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def test_is_ours_alone_and_gone_at_the_end(self) -> None:
        folder = OwnedFolder()
        assert folder.path.stat().st_mode & 0o777 == 0o700

        folder.remove()
        assert not folder.path.exists()

    def test_of_somebody_who_was_killed_is_removed_by_the_next(self, tmp_path: Path) -> None:
        orphan = tmp_path / "kube-rendezvous-orphan"
        orphan.mkdir()
        (orphan / "in-use").touch()
        folder = OwnedFolder()

        assert not orphan.exists()
        folder.remove()

    def test_that_is_in_use_is_left_alone(self) -> None:
        one, other = OwnedFolder(), OwnedFolder()

        assert one.path.exists()
        one.remove()
        other.remove()

    def test_that_is_not_of_this_package_is_left_alone(self, tmp_path: Path) -> None:
        foreign = tmp_path / "kube-rendezvous-notes"
        foreign.mkdir()
        OwnedFolder().remove()

        assert foreign.exists()

    @pytest.mark.parametrize("interrupted", ["os.open", "fcntl.flock", "pathlib.Path.rename"])
    def test_whose_making_is_interrupted_is_gone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: str
    ) -> None:
        def interrupt(*_: object, **__: object) -> None:
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(interrupted, interrupt)
        with suppress(KeyboardInterrupt):
            OwnedFolder()
        assert list(tmp_path.iterdir()) == []


class TestTheOperatorProcess:
    @pytest.fixture
    def operator(self, tmp_path: Path) -> Iterator[OperatorProcess]:
        """Stands in for the operator: it only answers the readiness probe."""
        package = tmp_path / "kube_rendezvous_operator"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(OPERATOR)
        operator = OperatorProcess(
            tmp_path / "kubeconfig", log=tmp_path / "log", environment={"PYTHONPATH": str(tmp_path)}
        )
        yield operator
        operator.stop()

    def test_is_started_again_when_it_ends_unasked(self, operator: OperatorProcess) -> None:
        operator.start()
        first = operator.pid
        operator.crash()

        eventually("a new operator", lambda: operator.running and operator.pid != first)
        operator.wait_until_ready()
        assert operator.restarts == 1

    @pytest.mark.parametrize("end", [OperatorProcess.kill, OperatorProcess.stop])
    def test_is_not_started_again_when_it_was_asked_to_end(
        self, operator: OperatorProcess, end: Callable[[OperatorProcess], None]
    ) -> None:
        operator.start()
        end(operator)

        assert not operator.running
        assert operator.restarts == 0
        operator.start()
        assert operator.running

    def test_that_cannot_start_is_an_error_with_its_log(self, tmp_path: Path, operator: OperatorProcess) -> None:
        (tmp_path / "kube_rendezvous_operator" / "__main__.py").write_text("raise SystemExit('no such namespace')")

        with pytest.raises(
            LocalControlPlaneError, match=r"(?s)the operator ended with exit status 1.*no such namespace"
        ):
            operator.start()
        assert not operator.running
