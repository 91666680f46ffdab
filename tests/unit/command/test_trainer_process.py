"""The trainer as a process: its status, its group, and its end with those that started it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kube_rendezvous.trainer_process.process import TrainerProcess

GUARDED = """
import os, sys, time
from kube_rendezvous.trainer_process.process import TrainerProcess
TrainerProcess(["sh", "-c", "sleep 600 & echo $! $$; wait"], os.environ)
time.sleep(600)
"""


def until_gone(pid: int, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -SEGV $$", 139)]
)
def test_its_status_is_as_a_shell_says_it(script: str, status: int) -> None:
    assert TrainerProcess(["sh", "-c", script], os.environ).wait() == status


def test_what_cannot_be_executed_is_126_or_127(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    assert TrainerProcess([str(plain)], os.environ).wait() == 126
    assert TrainerProcess([str(tmp_path / "none")], os.environ).wait() == 127


def test_what_it_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "child"
    process = TrainerProcess(["sh", "-c", f"sleep 600 & echo $! >{file}"], os.environ)
    assert process.wait() == 0
    until_gone(int(file.read_text()))


def test_a_signal_reaches_all_of_it_even_if_it_is_stopped() -> None:
    process = TrainerProcess(["sh", "-c", "sleep 600"], os.environ)
    process.send(signal.SIGSTOP)
    process.send(signal.SIGTERM)
    assert process.wait() == 143
    process.send(signal.SIGTERM)  # its number may be another's by now: nothing is sent


def test_it_and_all_of_it_die_with_the_process_that_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", GUARDED], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        starter.kill()
        assert len(pids) == 2
        for pid in pids:
            until_gone(pid)


def test_it_inherits_what_it_is_to_keep_open_and_nothing_else() -> None:
    with socket.socket() as kept, socket.socket() as other:
        os.set_inheritable(other.fileno(), True)
        script = f"test -e /proc/self/fd/{kept.fileno()} && ! test -e /proc/self/fd/{other.fileno()}"
        assert TrainerProcess(["sh", "-c", script], os.environ, [kept.fileno()]).wait() == 0
