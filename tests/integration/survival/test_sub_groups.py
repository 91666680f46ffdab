"""Sub-groups: all of them are right in each round, and nobody waits in one for a process that is lost."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from integration.handlers.runs import Run
from integration.survival.conftest import StartAlone
from integration.survival.engines import ENGINES
from integration.survival.lone_trainer import LoneTrainer, until_they_step

pytest.importorskip("torch", reason="meshes are torch's")
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("watched")]

_log = logging.getLogger(__name__)

FREED_SECONDS = 3.0
"""From the loss. Stated: 0.4 s on two idle cores; the collectives' own limit is 300 s."""


def mask(ranks: Sequence[int]) -> int:
    return sum(2**rank for rank in ranks)


def groups_are_right(step: dict[str, Any]) -> bool:
    """Whether this process was in the groups of its own row and column, with all others of those."""
    rank, world = step["rank"], step["world"]
    columns = world // 2 if world % 2 == 0 else world
    row = range(rank - rank % columns, rank - rank % columns + columns)
    column = range(rank % columns, world, columns)
    return bool(step["sums"] == {"across": mask(column), "along": mask(row)})


def all_were_freed(survivors: Sequence[LoneTrainer], round: int, lost_at: float, how: str) -> None:
    freed = {node.name: [line["at"] - lost_at for line in node.did("freed", round)] for node in survivors}
    milliseconds = {name: [round_ms(after) for after in afters] for name, afters in freed.items()}
    _log.info("%s: out of their sub-groups' collectives after (ms): %s", how, milliseconds)
    # Who was between two steps has left by itself.
    assert any(freed.values())
    assert max(after for afters in freed.values() for after in afters) < FREED_SECONDS


def round_ms(seconds: float) -> int:
    return round(seconds * 1000)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mesh_in_use_loses_one_process_gains_two_and_loses_a_silent_one(
    run: Run, start_alone: StartAlone, tmp_path: Path, engine: str
) -> None:
    run.create(minNodes=2, maxNodes=6)
    first = [start_alone(number, "mesh_trainer.py", engine) for number in range(4)]
    round_of_four = until_they_step(first)

    killed_at = time.monotonic()
    first[1].kill()
    survivors = [first[0], *first[2:]]
    round_of_three = until_they_step(survivors, after=round_of_four)
    all_were_freed(survivors, round_of_four, killed_at, "killed")

    five = [*survivors, start_alone(4, "mesh_trainer.py", engine), start_alone(5, "mesh_trainer.py", engine)]
    round_of_five = until_they_step(five, after=round_of_three)

    frozen_at = time.monotonic()
    first[2].freeze()
    rest = [node for node in five if node is not first[2]]
    until_they_step(rest, after=round_of_five)
    all_were_freed(rest, round_of_five, frozen_at, "frozen")

    (tmp_path / "enough").touch()
    assert [node.exit_status() for node in rest] == [0] * 4
    steps = [step for node in five for step in node.did("step")]
    assert {step["world"] for step in steps} >= {3, 4, 5}
    assert [step for step in steps if not groups_are_right(step)] == []
    assert all(len({line["pid"] for line in node.lines}) == 1 for node in five)
