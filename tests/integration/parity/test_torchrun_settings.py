"""What torchrun is told by flags and by `PET_*` variables reaches the rendezvous, and what cannot be used is said."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration.handlers.runs import Run
from integration.parity.torchruns import LIMIT_SECONDS, environment, torchrun
from rendezvous_local.cluster import Cluster

TELL = "import os; print('told', os.environ['WORLD_SIZE'], os.environ['TORCHELASTIC_RUN_ID'])\n"

Torchruns = Callable[..., list[tuple[int, str]]]


@pytest.fixture
def torchruns(cluster: Cluster, tmp_path: Path) -> Torchruns:
    """``torchruns(count, *arguments, **variables)``: run so many beside each other; exit status and output of each."""
    script = tmp_path / "worker.py"
    script.write_text(TELL)

    def run(count: int, *arguments: str, **variables: str) -> list[tuple[int, str]]:
        with ExitStack() as ending:
            started = [torchrun(arguments, script, environment(cluster, **variables)) for _ in range(count)]
            for process in started:
                ending.callback(process.kill)
            outputs = ["".join(process.communicate(timeout=LIMIT_SECONDS)) for process in started]
            return [(process.returncode, output) for process, output in zip(started, outputs, strict=True)]

    return run


def flags(run: Run, nodes: str, conf: str) -> list[str]:
    return [
        f"--nnodes={nodes}",
        "--rdzv-backend=kubernetes",
        f"--rdzv-id={run.name}",
        f"--rdzv-endpoint={run.namespace}",
        f"--rdzv-conf={conf}",
    ]


def test_settings_from_variables(torchruns: Torchruns, run: Run) -> None:
    variables = {
        "PET_NNODES": "2:2",
        "PET_NPROC_PER_NODE": "1",
        "PET_RDZV_BACKEND": "kubernetes",
        "PET_RDZV_ID": run.name,
        "PET_RDZV_ENDPOINT": run.namespace,
        "PET_RDZV_CONF": "last_call_timeout=7,join_timeout=50",
    }
    for status, output in torchruns(2, **variables):
        assert status == 0, output
        assert f"told 2 {run.name}" in output
    rendezvous = run.get()
    assert rendezvous is not None
    assert (rendezvous.spec.min_nodes, rendezvous.spec.max_nodes) == (2, 2)
    assert rendezvous.spec.last_call_seconds == 7


def test_settings_from_flags_and_unknown_ones_are_ignored(torchruns: Torchruns, run: Run) -> None:
    [(status, output)] = torchruns(1, *flags(run, "1:3", "last_call_timeout=1,colour=blue,timeout=900,is_host=1"))
    assert status == 0, output
    assert f"told 1 {run.name}" in output
    rendezvous = run.get()
    assert rendezvous is not None
    assert (rendezvous.spec.min_nodes, rendezvous.spec.max_nodes, rendezvous.spec.last_call_seconds) == (1, 3, 1)


def test_join_timeout_ends_the_wait_for_a_node_that_does_not_come(torchruns: Torchruns, run: Run) -> None:
    [(status, output)] = torchruns(1, *flags(run, "2", "join_timeout=2"))
    assert status != 0
    assert f"RendezvousTimeoutError: Rendezvous {run.namespace}/{run.name}: no answer within 2 s" in output
    assert "1 of 2 required nodes wait for round 1" in output
    assert run.status.closed is None, "who has waited in vain closes nothing"


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        ("join_timeout=soon", "--rdzv-conf join_timeout=soon: must be a whole number of seconds"),
        ("last_call_timeout=-1", "--rdzv-conf last_call_timeout=-1: must be a number of seconds from 0 to 86400"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_by_its_name(torchruns: Torchruns, run: Run, conf: str, told: str) -> None:
    [(status, output)] = torchruns(1, *flags(run, "1", conf))
    assert status != 0
    assert told in output
    assert run.get() is None, "nothing was made"
