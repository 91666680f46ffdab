"""FSDP2: what a lost process held comes from another replica; where there is none, all are told what is lost."""

import logging
from pathlib import Path
from typing import Any

import pytest

from integration.handlers.runs import Run
from integration.survival.conftest import StartAlone
from integration.survival.engines import FIRST_ENGINE
from integration.survival.lone_trainer import LoneTrainer, until_they_step

pytest.importorskip("torch", reason="FSDP2 is torch's")
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("watched")]

_log = logging.getLogger(__name__)

TRAINER = "fsdp_trainer.py"
TOLERANCE = 1e-10
"""Of weights and optimizer state in float64: sums in another order make differences of about 1e-15 a step."""


def undisturbed(steps: int) -> dict[str, dict[str, Any]]:
    """One process, whole batches."""
    import torch

    from integration.survival.trainers.fsdp_trainer import data, fresh, sampler_at

    model, optimizer = fresh()
    inputs, targets = data()
    for step in range(steps):
        chosen = list(sampler_at(step).share(0, 1).indices)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
    names = {name: optimizer.state[parameter] for name, parameter in model.named_parameters()}
    return {"model": model.state_dict(), "optimizer": names}


def largest_difference(folder: Path) -> float:
    """Of anything at the trainers' end and after as many undisturbed steps."""
    import torch

    end = torch.load(folder / "end.pt", map_location="cpu")
    expected = undisturbed(end["steps"])
    differences = [(end["model"][name] - tensor).abs().max() for name, tensor in expected["model"].items()]
    for name, state in expected["optimizer"].items():
        assert end["optimizer"][name].keys() == state.keys()
        differences += [(end["optimizer"][name][what] - tensor).abs().max() for what, tensor in state.items()]
    found = max(float(difference) for difference in differences)
    _log.info("after %d steps the largest difference to an undisturbed run is %.1e", end["steps"], found)
    return found


def moved(node: LoneTrainer, round: int) -> tuple[bool, list[str]]:
    (line,) = node.did("moved", round)
    _log.info("round %d, %s: %.0f ms", round, node.name, line["took"] * 1000)
    return line["whole"], line["lost"]


def all_begin_together(run: Run, start_alone: StartAlone, count: int) -> tuple[list[LoneTrainer], int]:
    """Their first round, before which none of them has held a shard. Returns them and its number."""
    run.create(minNodes=count, maxNodes=6)
    nodes = [start_alone(number, TRAINER, FIRST_ENGINE) for number in range(count)]
    first = until_they_step(nodes)
    run.change(minNodes=2)
    return nodes, first


def test_a_loss_and_a_growth_change_nothing_where_there_are_replicas(
    run: Run, start_alone: StartAlone, tmp_path: Path
) -> None:
    nodes, four = all_begin_together(run, start_alone, 4)
    assert [moved(node, four) for node in nodes] == [(False, [])] * 4

    nodes[1].kill()
    nodes = [nodes[0], *nodes[2:]]
    three = until_they_step(nodes, after=four)
    assert [moved(node, three) for node in nodes] == [(True, [])] * 3

    nodes.append(start_alone(4, TRAINER, FIRST_ENGINE))
    four_again = until_they_step(nodes, after=three)
    assert [moved(node, four_again) for node in nodes] == [(True, [])] * 4

    (tmp_path / "enough").touch()
    assert [node.exit_status() for node in nodes] == [0] * 4
    assert largest_difference(tmp_path) < TOLERANCE


def test_a_shard_that_nobody_holds_any_more_is_named_and_all_begin_again(
    run: Run, start_alone: StartAlone, tmp_path: Path
) -> None:
    nodes, three = all_begin_together(run, start_alone, 3)

    lost = next(node for node in nodes if node.newest_step["rank"] == 1)
    nodes.remove(lost)
    lost.kill()
    two = until_they_step(nodes, after=three)
    names = ["0.bias", "0.weight"]  # the one row of 2.weight and 2.bias is with rank 0
    assert [moved(node, two) for node in nodes] == [(False, names)] * 2

    (tmp_path / "enough").touch()
    assert [node.exit_status() for node in nodes] == [0] * 2
    assert largest_difference(tmp_path) < TOLERANCE
