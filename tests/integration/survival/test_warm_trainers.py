"""The server of warm trainers outlives every client, or whole runs would judge nothing but its end."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from integration.survival.warm_trainers import WarmTrainers

CLIENTS = 40


@pytest.mark.timeout(120)
def test_it_serves_on_whenever_its_clients_are_killed(tmp_path: Path) -> None:
    with WarmTrainers(tmp_path) as warm:
        for number in range(CLIENTS):
            client = subprocess.Popen([*warm.command, "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(number * 0.002)  # a moment of its own for each: before, in and after its request
            os.kill(client.pid, signal.SIGKILL)
            client.wait()

        answered = subprocess.run([*warm.command, "--help"], capture_output=True, text=True, timeout=60, check=False)

    assert answered.returncode == 0, answered.stderr
    assert "--global-batch" in answered.stdout
