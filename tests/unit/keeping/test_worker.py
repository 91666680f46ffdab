"""What a worker has said is heard before its end is, whoever gets a turn first."""

import os
import queue
import sys
import time

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.keeping.worker import WorkerProcess
from kube_rendezvous.survival.launcher_wire import DESCRIPTOR_VARIABLE, Done, FromWorker, Took

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

SAYS_TWO_THINGS_AND_ENDS = f"""
import os, socket
from kube_rendezvous.survival.launcher_wire import Done, Took, send_to_launcher
end = socket.socket(fileno=int(os.environ["{DESCRIPTOR_VARIABLE}"]))
send_to_launcher(end, Took(1))
send_to_launcher(end, Done(1))
os._exit(3)
"""


def test_the_last_words_are_heard_before_the_end() -> None:
    events: queue.SimpleQueue[FromWorker | int] = queue.SimpleQueue()

    def heard_by_one_that_gets_no_turn(message: FromWorker) -> None:
        if isinstance(message, Took):
            eventually(lambda: not os.path.exists(f"/proc/{worker.pid}"), "the process has ended")
            time.sleep(0.3)  # for whoever would say so first
        events.put(message)

    worker = WorkerProcess([sys.executable, "-c", SAYS_TWO_THINGS_AND_ENDS], os.environ)
    worker.listen(heard_by_one_that_gets_no_turn, events.put)
    assert [events.get(timeout=60) for _ in range(3)] == [Took(1), Done(1), 3]
