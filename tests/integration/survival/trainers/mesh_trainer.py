"""A survivor that works in the sub-groups of a mesh alone: ``python mesh_trainer.py FOLDER NAME ENGINE``.

Every step sums in both dimensions of a mesh that is made anew in each round. Every process gives 2 to the power of its
rank, so that a sum says which processes were in the group. A line of FOLDER/NAME.lines tells each thing that happens.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from one_gpu_for_all import device_of
from torch.distributed.device_mesh import init_device_mesh

from kube_rendezvous.survival import survive
from kube_rendezvous.survival.torch_state import share_state

STEP_SECONDS = 0.01
DIMENSIONS = ("across", "along")


class Steps:
    """Those that were done."""

    def __init__(self) -> None:
        self.done = 0

    def state_dict(self) -> dict[str, Any]:
        return {"done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.done = state["done"]


def shape_for(world_size: int) -> tuple[int, int]:
    """Two rows where that goes."""
    return (2, world_size // 2) if world_size % 2 == 0 else (1, world_size)


def main() -> None:
    """Work until FOLDER/enough is there."""
    folder, name, engine = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    device = device_of(name)
    torch.set_num_threads(1)
    steps = Steps()
    lines = (folder / f"{name}.lines").open("a")

    def write(**what: Any) -> None:
        line = {"at": time.monotonic(), "pid": os.getpid(), "step": steps.done, **what}
        lines.write(json.dumps(line) + "\n")
        lines.flush()

    with survive(progress=lambda: steps.done, engine=engine, **_which()) as group:
        for current in group:
            where = {"round": current.number, "rank": current.rank, "world": current.world_size}
            with current:
                share_state(current, steps)
                mesh = init_device_mesh(device.type, shape_for(current.world_size), mesh_dim_names=DIMENSIONS)
                write(did="took", **where)
                enough = False
                while not enough:
                    current.check()
                    time.sleep(STEP_SECONDS)
                    began, sums = time.monotonic(), {}
                    said = float(current.rank == 0 and (folder / "enough").exists())
                    try:
                        for dimension in DIMENSIONS:
                            value = torch.tensor([2.0**current.rank, said], dtype=torch.float64, device=device)
                            dist.all_reduce(value, group=mesh.get_group(dimension))
                            current.confirm()
                            # Rank 0's word reaches its column first, and by each of those the whole row.
                            sums[dimension], said = int(value[0].item()), value[1].item()
                    except Exception as error:
                        write(did="freed", waited=time.monotonic() - began, error=str(error)[:100], **where)
                        raise
                    enough = said > 0
                    steps.done += 1
                    write(did="step", sums=sums, **where)
    write(did="end")


def _which() -> dict[str, Any]:
    return {"name": os.environ["RUN"], "namespace": os.environ["RUN_NAMESPACE"], "nnodes": "2:6"}


if __name__ == "__main__":
    import logging

    logging.basicConfig(level="INFO", format="%(asctime)s.%(msecs)03d %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("urllib3").setLevel("WARNING")
    main()
