"""One model, trained in two ways: by processes that survive rounds, and by processes that are restarted for each.

    python -m performance.trainer surviving|restarting FOLDER/NAME [--step-seconds 0.02]

Appends a JSON object to NAME.LOCAL_RANK.jsonl for each thing that it did, with the moment on the machine's monotonic
clock: ``start`` (all is imported and built), ``took`` (a round is taken in), ``step`` (an optimizer step is done) and
``left`` (a survivor is told, and out of the round's collectives). It trains until it is killed.

The restarting way reads no checkpoint and shares no state, which a real one has to: it is as quick as one can be.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from integration.survival.trainers.one_gpu_for_all import device_of
from kube_rendezvous.survival import survive
from kube_rendezvous.survival.torch_state import share_state

BATCH = 24
FEATURES = 16
WAIT_TO_BE_STOPPED_SECONDS = 120.0

Write = Callable[..., None]


class Training:
    """The model, its optimizer and how many steps it has done."""

    def __init__(self, step_seconds: float, device: torch.device) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(7)
        self._step_seconds = step_seconds
        self.on_gpu = device.type == "cuda"
        self._inputs = torch.randn(BATCH, FEATURES).to(device)
        self._targets = self._inputs.sum(dim=1, keepdim=True).tanh()
        layers = (torch.nn.Linear(FEATURES, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
        self.network = torch.nn.Sequential(*layers).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.steps = 0

    def one_step(self, model: torch.nn.Module, confirm: Callable[[], None] = lambda: None) -> None:
        """Do one; it is confirmed before the weights change."""
        time.sleep(self._step_seconds)
        self.optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(self._inputs), self._targets).backward()
        confirm()
        self.optimizer.step()
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        """What is not in network and optimizer."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.steps = int(state["steps"])


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(prog="performance.trainer", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("way", choices=["surviving", "restarting"])
    parser.add_argument("log", type=Path, help="start of the file's name")
    parser.add_argument("--step-seconds", type=float, default=0.02, help="as if the model were large (default: 0.02)")
    options = parser.parse_args()
    file = options.log.with_name(f"{options.log.name}.{os.environ.get('LOCAL_RANK', '0')}.jsonl")
    training = Training(options.step_seconds, device_of(file.stem))
    with file.open("a", buffering=1) as log:

        def write(did: str, **more: Any) -> None:
            log.write(json.dumps({"did": did, "at": time.monotonic(), "pid": os.getpid(), **more}) + "\n")

        write("start")
        (_survive if options.way == "surviving" else _be_restarted)(training, write)


def _survive(training: Training, write: Write) -> None:
    with survive(progress=lambda: training.steps) as group:
        for current in group:
            write("took", round=current.number, world=current.world_size)
            with current:
                share_state(current, training.network, training.optimizer, training)
                model = DistributedDataParallel(training.network)
                while True:
                    current.check()
                    training.one_step(model, current.confirm)
                    write("step", round=current.number, world=current.world_size)
            write("left", round=current.number, world=current.world_size)


def _be_restarted(training: Training, write: Write) -> None:
    torchrun = os.getppid()
    dist.init_process_group("nccl" if training.on_gpu else "gloo")
    where = {"round": 0, "world": dist.get_world_size()}  # torchrun says no number
    write("took", **where)
    try:
        model = DistributedDataParallel(training.network)
        while os.getppid() == torchrun:  # its workers would train on for ever if it were killed
            training.one_step(model)
            write("step", **where)
    except RuntimeError:  # a peer is lost: who fails by itself uses up one of torchrun's --max-restarts
        time.sleep(WAIT_TO_BE_STOPPED_SECONDS)
        raise


if __name__ == "__main__":
    main()
