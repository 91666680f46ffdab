"""A step that a loss has interrupted is made by all survivors, or by none."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kube_rendezvous.survival.roster import Roster
from unit.survival.builders import entry
from unit.survival.gloo_peer import join

torch = pytest.importorskip("torch", reason="FSDP2 is torch's")


@pytest.fixture(autouse=True)
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import torch.distributed as dist

    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    join(tmp_path / "store", 0, 1)
    yield
    dist.destroy_process_group()


def fresh(fill: float) -> tuple[Any, Any]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(fill)
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    return model, torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)


def round_where_survivors_did(*steps: int) -> Any:
    roster = Roster.of([entry(node, progress=progress) for node, progress in enumerate(steps)])
    return SimpleNamespace(roster=roster, rank=0, world_size=1, confirm=lambda: None)


def interrupted_in_its_step(monkeypatch: pytest.MonkeyPatch) -> Any:
    """State of one step, and gradients for the next, of which this process did not hear that all have theirs."""
    import torch.distributed as dist

    from kube_rendezvous.survival.sharded_state import ShardedState

    def lost(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("Connection closed by peer")

    sharded, (model, optimizer) = ShardedState(), fresh(1.0)
    sharded.begin(model, optimizer, 0)
    model(torch.ones(1, 2)).sum().backward()
    sharded.step(round_where_survivors_did(0))
    model(torch.ones(1, 2)).sum().backward()
    with monkeypatch.context() as patched:
        patched.setattr(dist, "all_reduce", lost)
        with pytest.raises(RuntimeError, match="closed by peer"):
            sharded.step(round_where_survivors_did(1))
    assert sharded.steps_done == 1
    return sharded


@pytest.mark.parametrize(
    ("furthest", "weight"), [(1, 0.0), (2, -2.9)], ids=["nobody has made the step", "another one has made it"]
)
def test_an_interrupted_step_is_made_if_another_one_has_made_it(
    monkeypatch: pytest.MonkeyPatch, furthest: int, weight: float
) -> None:
    sharded = interrupted_in_its_step(monkeypatch)
    model, optimizer = fresh(5.0)
    assert sharded.move(round_where_survivors_did(1, furthest), model, optimizer).whole
    assert sharded.steps_done == furthest
    assert model.weight.to_local().flatten().tolist() == pytest.approx([weight, weight])
    assert optimizer.state[model.weight]["momentum_buffer"].to_local().abs().sum() > 0


def test_what_was_moved_is_still_there_when_peers_are_lost_before_all_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.distributed as dist

    sharded = interrupted_in_its_step(monkeypatch)

    def lost() -> None:
        raise RuntimeError("Connection closed by peer")

    with monkeypatch.context() as patched:
        patched.setattr(dist, "barrier", lost)
        with pytest.raises(RuntimeError, match="closed by peer"):
            sharded.move(round_where_survivors_did(1, 1), *fresh(5.0))
    model, optimizer = fresh(6.0)
    assert sharded.move(round_where_survivors_did(1, 1), model, optimizer).whole
    assert model.weight.to_local().flatten().tolist() == [0.0, 0.0]


def test_at_the_start_there_is_nothing_to_move() -> None:
    from kube_rendezvous.survival.sharded_state import Moved, ShardedState

    roster = Roster.of([entry(new=True)])
    current: Any = SimpleNamespace(roster=roster, rank=0, world_size=1)
    assert ShardedState().move(current, *fresh(1.0)) == Moved(whole=False)


def test_who_is_behind_has_nothing_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from kube_rendezvous.survival.sharded_state import Moved

    sharded = interrupted_in_its_step(monkeypatch)
    assert sharded.move(round_where_survivors_did(1, 7), *fresh(5.0)) == Moved(whole=False)
