"""A training loop whose processes live through the loss of others, without a shared disk.

    kube-rendezvous run --name my-run --nnodes 2:4 --keep-survivors --nproc-per-node 1 -- \
        python train_surviving.py --steps 1000

The sibling of train.py, which torchrun restarts for every round. Five things make this script survive, and they are
marked in the code:

(1) It imports and builds before it joins: the others wait for whoever has joined.
(2) A round is a block. The loss or the arrival of a node ends the block, not the process; the loop takes the next one.
(3) State stays in the process. Whoever lacks some gets it from the one that is furthest.
(4) Whatever holds connections is made anew in each round, around the same network.
(5) Every node keeps a checkpoint of its own, for the day on which nobody survives: then the newest of them is shared.
    It appears whole or not at all: a node may die while it writes.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from kube_rendezvous.survival import Round, survive
from kube_rendezvous.survival.torch_state import share_state


def main() -> None:
    """Train until the steps are done."""
    options = _parse_command_line()
    torch.set_num_threads(1)
    network = torch.nn.Linear(16, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    done = Step()
    checkpoint = Checkpoint(options.checkpoint, network, optimizer, done)
    checkpoint.load()  # (5)
    with survive(progress=lambda: done.step) as group:  # (1)
        for current in group:
            with current:  # (2)
                share_state(current, network, optimizer, done)  # (3)
                model = DistributedDataParallel(network)  # (4)
                first = done.step + 1
                while not options.steps or done.step < options.steps:
                    current.check()  # (2): is the round over? From memory
                    loss = _train_one_step(current, model, optimizer, options.step_seconds)
                    done.step += 1
                    if done.step == first:
                        _say(current, f"first step of this round done: step {done.step}, pid {os.getpid()}")
                    elif done.step % 25 == 0:
                        _say(current, f"step {done.step}, loss {loss:.3f}")
                    if done.step % options.checkpoint_steps == 0:
                        checkpoint.save()  # (5)
    checkpoint.save()
    _say(current, f"done after {done.step} steps, pid {os.getpid()}")


def _parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a very small network. Start it with `kube-rendezvous run --keep-survivors`."
    )
    parser.add_argument("--steps", type=int, default=0, help="stop after this many steps; 0: never (default)")
    parser.add_argument("--step-seconds", type=float, default=0.2, help="as if the model were large (default: 0.2)")
    parser.add_argument("--checkpoint", type=Path, default=Path("/checkpoints/newest.pt"), help="file of this node")
    parser.add_argument("--checkpoint-steps", type=int, default=25, help="write it after so many (default: 25)")
    return parser.parse_args()


def _train_one_step(
    current: Round, model: DistributedDataParallel, optimizer: torch.optim.Optimizer, step_seconds: float
) -> float:
    time.sleep(step_seconds)
    samples = torch.randn(32, 16)
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(samples), samples.sum(dim=1, keepdim=True))
    loss.backward()  # DDP averages the gradients here: all ranks meet
    current.confirm()  # on GPUs a collective that was cut off says nothing by itself; on CPU this is free
    optimizer.step()
    return loss.item()


class Step:
    """The step that was done last; part of the state as the network is."""

    def __init__(self) -> None:
        self.step = 0

    def state_dict(self) -> dict[str, Any]:
        """What makes it up."""
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = int(state["step"])


class Checkpoint:
    """The state in a file of this node: its first worker writes it, all its workers read it."""

    def __init__(self, file: Path, *parts: Any) -> None:
        self._file = file
        self._parts = parts

    def load(self) -> None:
        """Restore what is there."""
        if self._file.exists():
            for part, state in zip(self._parts, torch.load(self._file, weights_only=True), strict=True):
                part.load_state_dict(state)

    def save(self) -> None:
        """Write it."""
        if os.environ.get("LOCAL_RANK", "0") == "0":
            half_written = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            torch.save([part.state_dict() for part in self._parts], half_written)
            half_written.replace(self._file)


def _say(current: Round, text: str) -> None:
    # In one piece: the workers of a node share its output, and print() writes the end of the line by itself.
    print(f"rank {current.rank} of {current.world_size}: {text}\n", end="", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
