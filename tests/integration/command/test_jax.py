"""JAX on several processes, which find each other with `jax.distributed.initialize()` and no arguments."""

import sys
from pathlib import Path

import pytest

from integration.command.conftest import Start
from integration.command.wrapped_node import WrappedNode, until_they_run
from integration.handlers.runs import Run

TRAINER = Path(__file__).parent / "trainers" / "jax_trainer.py"


def test_jax_processes_compute_together_and_do_so_again_after_one_was_killed(
    run: Run, start: Start, tmp_path: Path
) -> None:
    pytest.importorskip("jax", reason="JAX trains only where JAX is installed")

    def node(name: str) -> WrappedNode:
        command = [sys.executable, str(TRAINER), str(tmp_path), name]
        return start(name, "run", "--grace=1", "--max-restarts=3", "--", *command, JAX_PLATFORMS="cpu")

    run.create(minNodes=2, maxNodes=2, heartbeatSeconds=1)
    nodes = [node("node-0"), node("node-1")]
    first = until_they_run(nodes, 2)
    assert [one.newest["sum"] for one in nodes] == [3.0, 3.0]

    nodes[0].kill()
    nodes[0] = node("node-0")
    until_they_run(nodes, 2, after=first)
    assert [one.newest["sum"] for one in nodes] == [3.0, 3.0]
    assert [one.newest["processes"] for one in nodes] == [2, 2]

    (tmp_path / "all.exit").touch()
    assert [one.exit_status() for one in nodes] == [0, 0]
