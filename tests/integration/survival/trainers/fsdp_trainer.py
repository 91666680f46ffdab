"""A survivor with FSDP2, in replicas where the world is even: ``python fsdp_trainer.py FOLDER NAME ENGINE``.

Lines as of `mesh_trainer`. At its end rank 0 leaves all weights and the optimizer's state in FOLDER/end.pt.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from kube_rendezvous.survival import ElasticSampler, Round, survive
from kube_rendezvous.survival.sharded_state import ShardedState

SAMPLES, GLOBAL_BATCH, STEP_SECONDS = 240, 24, 0.02


def fresh() -> tuple[torch.nn.Sequential, torch.optim.Optimizer]:
    """The model that all begin with; sizes that no number of processes divides."""
    torch.manual_seed(7)
    model = torch.nn.Sequential(torch.nn.Linear(16, 33), torch.nn.Tanh(), torch.nn.Linear(33, 1)).double()
    return model, torch.optim.AdamW(model.parameters(), lr=0.01)


def data() -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.randn(SAMPLES, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return inputs, inputs.sum(dim=1, keepdim=True).tanh()


def sampler_at(step: int) -> ElasticSampler:
    sampler = ElasticSampler(SAMPLES, GLOBAL_BATCH, seed=3)
    epoch, steps_done = divmod(step, sampler.steps_an_epoch)
    sampler.load_state_dict({"epoch": epoch, "steps_done": steps_done})
    return sampler


def sharded_on(device: torch.device, world_size: int) -> tuple[torch.nn.Sequential, torch.optim.Optimizer]:
    """Two replicas of shards where that goes, else one."""
    shape = (2, world_size // 2) if world_size % 2 == 0 else (1, world_size)
    mesh = init_device_mesh(device.type, shape, mesh_dim_names=("replicate", "shard"))
    model = fresh()[0].to(device)
    for layer in model:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model, torch.optim.AdamW(model.parameters(), lr=0.01)


def main() -> None:
    """Train until FOLDER/enough is there."""
    folder, name, engine = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    from one_gpu_for_all import device_of  # beside this script; tests import the rest of it as a module

    device = device_of(name)
    torch.set_num_threads(1)
    inputs, targets = (tensor.to(device) for tensor in data())
    sharded = ShardedState()
    lines = (folder / f"{name}.lines").open("a")

    def write(**what: Any) -> None:
        line = {"at": time.monotonic(), "pid": os.getpid(), "step": sharded.steps_done, **what}
        lines.write(json.dumps(line) + "\n")
        lines.flush()

    def one_step(current: Round, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        share = sampler_at(sharded.steps_done).share(current.rank, current.world_size)
        time.sleep(STEP_SECONDS)
        chosen = list(share.indices) or [0]
        loss = torch.nn.functional.mse_loss(model(inputs[chosen]), targets[chosen]) * share.weight
        optimizer.zero_grad()
        loss.backward()
        sharded.step(current)

    with survive(progress=lambda: sharded.steps_done, engine=engine, **_which()) as group:
        for current in group:
            where = {"round": current.number, "rank": current.rank, "world": current.world_size}
            with current:
                began = time.monotonic()
                model, optimizer = sharded_on(device, current.world_size)
                moved = sharded.move(current, model, optimizer)
                write(did="moved", whole=moved.whole, lost=moved.lost, took=time.monotonic() - began, **where)
                if not moved.whole:
                    sharded.begin(model, optimizer, 0)
                while not _enough(current, folder, sharded.steps_done, device):
                    current.check()
                    one_step(current, model, optimizer)
                    write(did="step", **where)
                _leave_behind(folder / "end.pt", model, optimizer, sharded.steps_done)
    write(did="end")


def _which() -> dict[str, Any]:
    return {"name": os.environ["RUN"], "namespace": os.environ["RUN_NAMESPACE"], "nnodes": "2:6"}


def _enough(current: Round, folder: Path, done: int, device: torch.device) -> bool:
    """All must see it before the same step: rank 0 looks, and says so to all."""
    if done % 10:
        return False
    seen = torch.tensor([float(current.rank == 0 and (folder / "enough").exists())], device=device)
    dist.all_reduce(seen)
    current.confirm()
    return bool(seen.item())


def _leave_behind(file: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    options = StateDictOptions(full_state_dict=True)
    of_model, of_optimizer = get_state_dict(model, optimizer, options=options)
    if dist.get_rank() == 0:
        torch.save({"steps": steps, "model": of_model, "optimizer": of_optimizer["state"]}, file)


if __name__ == "__main__":
    import logging

    logging.basicConfig(level="INFO", format="%(asctime)s.%(msecs)03d %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("urllib3").setLevel("WARNING")
    main()
