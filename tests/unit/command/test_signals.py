"""A signal that asks a process to end is heard, however busy the process is and whichever thread gets it."""

import os
import signal
import subprocess
import sys

BURSTS = 200
ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)

HEARING = """
import queue, sys, threading
from kube_rendezvous.command.ending_signals import hear_ending_signals

heard = queue.SimpleQueue()
hear_ending_signals(heard.put)
for _ in range(4):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
while True:
    print(heard.get(), flush=True)
"""


def test_each_of_a_burst_is_heard_each_time() -> None:
    with subprocess.Popen([sys.executable, "-c", HEARING], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(BURSTS):
                for number in ALL:
                    os.kill(process.pid, number)
                assert sorted(int(process.stdout.readline()) for _ in ALL) == sorted(ALL)
        finally:
            process.kill()


def test_what_is_ignored_stays_ignored_as_nohup_wants_it() -> None:
    script = f"trap '' HUP; exec {sys.executable} -c '{HEARING}'"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            os.kill(process.pid, signal.SIGHUP)
            os.kill(process.pid, signal.SIGTERM)
            assert int(process.stdout.readline()) == signal.SIGTERM
        finally:
            process.kill()
