"""The handler that torch's registry makes for the backend `kubernetes`, and `torchrun` with it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.elastic.rendezvous import RendezvousClosedError, RendezvousParameters
from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler

from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from rendezvous_local.cluster import Cluster

LIMIT_SECONDS = 60.0


@pytest.fixture
def handler(cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A handler of one node."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    parameters = RendezvousParameters("kubernetes", run.namespace, run.name, 1, 1, join_timeout="30")
    handler = get_rendezvous_handler(parameters)
    yield handler
    handler.shutdown()


def test_joining_again_gives_rounds_one_two_three(handler: Any, run: Run) -> None:
    for number in (1, 2, 3):
        info = handler.next_rendezvous()
        assert (info.rank, info.world_size, run.status.round) == (0, 1, number)


def test_closing_twice_is_closing_once(handler: Any) -> None:
    handler.next_rendezvous()
    handler.set_closed()
    handler.set_closed()
    assert handler.is_closed()
    with pytest.raises(RendezvousClosedError):
        handler.next_rendezvous()


def test_nothing_runs_after_shutdown_and_a_second_shutdown_is_well(handler: Any, run: Run) -> None:
    before = set(threading.enumerate())
    handler.next_rendezvous()
    assert handler.shutdown()
    assert handler.shutdown()
    eventually(lambda: not run.members(), "its Member is gone")
    eventually(lambda: set(threading.enumerate()) <= before, "its threads have ended")


def test_torchrun_takes_its_settings_from_variables(cluster: Cluster, run: Run, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text("import os; print('told', os.environ['WORLD_SIZE'], os.environ['TORCHELASTIC_RUN_ID'])\n")
    environment = {
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig),
        "PET_NNODES": "2:2",
        "PET_NPROC_PER_NODE": "1",
        "PET_RDZV_BACKEND": "kubernetes",
        "PET_RDZV_ID": run.name,
        "PET_RDZV_ENDPOINT": run.namespace,
        "PET_RDZV_CONF": "last_call_timeout=7,join_timeout=50",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "torch.distributed.run", str(script)]

    def launch(_: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(launch, range(2)))
    for one in ended:
        assert one.returncode == 0, one.stderr
        assert f"told 2 {run.name}" in one.stdout
    rendezvous = run.get()
    assert rendezvous is not None
    assert rendezvous.spec.last_call_seconds == 7
