"""As the first process of a container, which inherits what others leave behind: nothing of ours is taken for that."""

import shutil
import subprocess
import sys

import pytest

FIRST = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def can_be_first() -> bool:
    if shutil.which(FIRST[0]) is None:
        return False
    return subprocess.run([*FIRST, "true"], capture_output=True, check=False).returncode == 0


NEEDS_A_NAMESPACE = pytest.mark.skipif(not can_be_first(), reason="needs a PID namespace of its own: unshare, as root")

PAIRS_THAT_END_TOGETHER = """
import os, threading, time
from kube_rendezvous.trainer_process.process import TrainerProcess
assert os.getpid() == 1

def one(statuses):
    def wait():
        statuses.append(started.wait())
    started = TrainerProcess(["sh", "-c", "read _ <" + fifo + "; exit 3"], os.environ)
    thread = threading.Thread(target=wait)
    thread.start()
    return thread

fifo = "/dev/shm/go-%d" % time.time_ns()
for _ in range(20):
    os.mkfifo(fifo)
    go = os.open(fifo, os.O_RDWR)
    statuses = []
    threads = [one(statuses) for _ in range(4)]
    time.sleep(0.15)  # so that they are likely to end together; a line for each waits for those that are late
    os.write(go, b"\\n" * 4)
    for thread in threads:
        thread.join(30)
    os.close(go)
    os.unlink(fifo)
    assert statuses == [3] * 4, statuses
"""

ORPHANS = """
import os, subprocess, time
from pathlib import Path
from kube_rendezvous.trainer_process.process import TrainerProcess

def children():
    stats = [path.read_bytes().rpartition(b")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return [(stat[0], int(stat[2])) for stat in stats if stat[1] == b"1"]

Path("/proc/self/comm").write_bytes(b"cut off \\xc3")
mine = subprocess.Popen(["sh", "-c", "exit 5"])
deadline = time.monotonic() + 60
while (b"Z", os.getpgrp()) not in children():
    assert time.monotonic() < deadline
TrainerProcess(["sh", "-c", "setsid sh -c : & sleep 0.2"], os.environ).wait()
while len(children()) > 1:
    assert time.monotonic() < deadline, children()
    TrainerProcess(["sh", "-c", ":"], os.environ).wait()
assert mine.wait() == 5
"""


def as_first_process(script: str) -> None:
    done = subprocess.run(
        [*FIRST, sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)


@NEEDS_A_NAMESPACE
def test_workers_that_end_together_have_their_own_status() -> None:
    as_first_process(PAIRS_THAT_END_TOGETHER)


@NEEDS_A_NAMESPACE
def test_orphans_are_buried_and_children_of_others_in_this_process_are_not() -> None:
    as_first_process(ORPHANS)


HEEDLESS_PARENT = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""

STATUS = """
import os
from kube_rendezvous.trainer_process.orphans import wait_for_children_here
from kube_rendezvous.trainer_process.process import TrainerProcess
wait_for_children_here()
assert TrainerProcess(["sh", "-c", "exit 3"], os.environ).wait() == 3
"""


def test_a_parent_that_ignores_the_end_of_children_hides_no_status() -> None:
    subprocess.run([sys.executable, "-c", HEEDLESS_PARENT, STATUS], timeout=60, check=True)
