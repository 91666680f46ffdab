"""FSDP2 in a process that lives through rounds: what a lost process held comes from another replica.

    kube-rendezvous run --keep-survivors --nproc-per-node 2 -- python train_surviving_fsdp.py --steps 1000

Four things make it survive, and they are marked in the code:

(1) Mesh, model and optimizer are made anew in each round: whatever holds process groups belongs to one round.
(2) With an even number of processes there are two replicas of every shard, so that one lost process loses nothing.
(3) `move` fills the new shards from the old ones of all processes. If nobody holds a shard any more, it says so, and
    all load the checkpoint. Only a loss within both replicas, or a world without replicas, comes to that.
(4) `ShardedState.step` in place of `optimizer.step`: a loss in the middle leaves no shards of two different steps.
"""

import argparse
import logging
from pathlib import Path

import torch
import torch.distributed.checkpoint as checkpoints
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from kube_rendezvous.survival import ElasticSampler, Round, survive
from kube_rendezvous.survival.sharded_state import ShardedState

SAMPLES, GLOBAL_BATCH, CHECKPOINT_STEPS = 4096, 64, 100

_log = logging.getLogger("trainer")


def main() -> None:
    """Train until the steps are done."""
    options = _parse_command_line()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    torch.set_num_threads(1)
    inputs = torch.randn(SAMPLES, 16, generator=torch.Generator().manual_seed(1))
    targets = inputs.sum(dim=1, keepdim=True).tanh()
    sharded = ShardedState()
    with survive(progress=lambda: sharded.steps_done) as group:
        for current in group:
            with current:
                model, optimizer = build(current)  # (1)
                moved = sharded.move(current, model, optimizer)  # (3)
                if not moved.whole:
                    _log.info("held by nobody: %s", ", ".join(moved.lost) or "anything")
                    sharded.begin(model, optimizer, load(options.checkpoint, model, optimizer))
                while sharded.steps_done < options.steps:
                    current.check()
                    share = sampler_at(sharded.steps_done).share(current.rank, current.world_size)
                    chosen = list(share.indices) or [0]
                    loss = torch.nn.functional.mse_loss(model(inputs[chosen]), targets[chosen]) * share.weight
                    optimizer.zero_grad()
                    loss.backward()
                    sharded.step(current)  # (4)
                    if sharded.steps_done % CHECKPOINT_STEPS == 0:
                        save(options.checkpoint, model, optimizer, sharded.steps_done)
    _log.info("done after %d steps", sharded.steps_done)


def build(current: Round) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model whose shards lie on this round's processes."""
    replicas = 2 if current.world_size % 2 == 0 else 1  # (2)
    shape = (replicas, current.world_size // replicas)
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("replicate", "shard"))
    torch.manual_seed(7)
    model = torch.nn.Sequential(torch.nn.Linear(16, 128), torch.nn.Tanh(), torch.nn.Linear(128, 1))
    for layer in model:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model, torch.optim.AdamW(model.parameters(), lr=0.01)


def sampler_at(step: int) -> ElasticSampler:
    """The sampler, where so many steps have brought it."""
    sampler = ElasticSampler(SAMPLES, GLOBAL_BATCH, seed=3)
    epoch, steps_done = divmod(step, sampler.steps_an_epoch)
    sampler.load_state_dict({"epoch": epoch, "steps_done": steps_done})
    return sampler


def save(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Each process writes its shards; the folder is on a volume that all share."""
    of_model, of_optimizer = get_state_dict(model, optimizer)
    whole = {"model": of_model, "optimizer": of_optimizer, "steps": steps}
    checkpoints.save(whole, checkpoint_id=folder / str(steps))


def load(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Each process reads the parts of its shards from the newest checkpoint that is whole; 0 if there is none."""
    steps = max((int(file.parent.name) for file in folder.glob("*/.metadata")), default=0)
    if steps:
        of_model, of_optimizer = get_state_dict(model, optimizer)
        whole = {"model": of_model, "optimizer": of_optimizer}
        checkpoints.load(whole, checkpoint_id=folder / str(steps))
        set_state_dict(model, optimizer, model_state_dict=whole["model"], optim_state_dict=whole["optimizer"])
    return steps


def _parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small sharded network that survives.")
    parser.add_argument("--steps", type=int, default=1000, help="stop after this many steps (default: 1000)")
    parser.add_argument("--checkpoint", type=Path, default=Path("/checkpoints"), help="folder that all nodes share")
    return parser.parse_args()


if __name__ == "__main__":
    main()
