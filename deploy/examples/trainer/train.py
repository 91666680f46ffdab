"""A training loop for torchrun that loses and gains nodes at any step, without a shared disk.

    torchrun --rdzv-backend=kubernetes --rdzv-id=my-run --nnodes=2:4 train.py --steps 1000

torchrun starts a new process for every round, so nothing here waits for a change of the world. Four things make the
script elastic, and they are marked in the code:

(1) Every node keeps a checkpoint of its own; a round begins with the newest of them, which its owner sends to all.
(2) A checkpoint appears whole or not at all: a node may die while it writes.
(3) SIGTERM is the notice that this process must go: for a new round, or because its pod is evicted or drained. It
    saves what it has. A thread does that, because the main thread may hang in a collective with a peer that is gone.
(4) The loss of a peer is not its own failure: it waits until torchrun, which is told of the loss, stops it.
"""

import argparse
import itertools
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

TOLD_SECONDS = 120.0
"""How long to wait for torchrun to stop this process after a peer was lost; then it fails by itself."""


def main() -> None:
    """Train until the steps are done."""
    options = _parse_command_line()
    torch.set_num_threads(1)
    network = torch.nn.Linear(16, 1)
    state = State(options.checkpoint, network)
    state.save_on_notice()
    dist.init_process_group("gloo")  # address, port, rank and world size come from torchrun's environment
    try:
        state.take_the_newest()
        _train(network, state, options)
    except RuntimeError as error:  # how gloo says that a peer's connection is gone
        _say(f"a peer was lost ({str(error).splitlines()[0][:100]}); waiting for the next round")
        time.sleep(TOLD_SECONDS)  # (4): who fails here uses up one of torchrun's --max-restarts
        raise
    state.save()
    _say(f"done after {state.step} steps")
    dist.destroy_process_group()


def _parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a very small network. Start it with torchrun.")
    parser.add_argument("--steps", type=int, default=0, help="stop after this many steps; 0: never (default)")
    parser.add_argument("--step-seconds", type=float, default=0.2, help="as if the model were large (default: 0.2)")
    parser.add_argument("--checkpoint", type=Path, default=Path("/checkpoints/newest.pt"), help="file of this node")
    return parser.parse_args()


def _train(network: torch.nn.Module, state: "State", options: argparse.Namespace) -> None:
    model = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    started_with = state.step
    for step in itertools.count(started_with + 1):
        if options.steps and step > options.steps:
            return
        time.sleep(options.step_seconds)
        samples = torch.randn(32, 16)
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(samples), samples.sum(dim=1, keepdim=True))
        loss.backward()  # DDP averages the gradients here: all ranks meet
        optimizer.step()
        state.keep(step)
        if step == started_with + 1:
            _say(f"first step of this round done: step {step}, loss {loss.item():.3f}")
        elif step % 25 == 0:
            _say(f"step {step}, loss {loss.item():.3f}")


class State:
    """What survives a round: the step and the weights, in memory after each step and in a file after the notice."""

    def __init__(self, file: Path, network: torch.nn.Module) -> None:
        self.step = 0
        self._file = file
        self._network = network
        self._kept: dict[str, Any] = {}
        if file.exists():
            self._kept = torch.load(file, weights_only=True)
            self.step = int(self._kept["step"])
            network.load_state_dict(self._kept["weights"])

    def take_the_newest(self) -> None:
        """(1): the rank with the most steps sends its weights to all."""
        steps = torch.zeros(dist.get_world_size(), dtype=torch.int64)
        steps[dist.get_rank()] = self.step
        dist.all_reduce(steps)
        newest = int(steps.argmax())
        for weights in self._network.state_dict().values():
            dist.broadcast(weights, src=newest)
        self.step = int(steps[newest])
        _say(f"starting after step {self.step}, which rank {newest} brought")

    def keep(self, step: int) -> None:
        """Keep the state after this step in memory."""
        weights = {name: value.detach().clone() for name, value in self._network.state_dict().items()}
        self.step, self._kept = step, {"step": step, "weights": weights}

    def save(self) -> None:
        """Write it to the file."""
        kept = self._kept
        if kept:
            half_written = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            torch.save(kept, half_written)
            half_written.replace(self._file)  # (2)

    def save_on_notice(self) -> None:
        """(3): save and end when SIGTERM comes, whatever the main thread does."""
        arrived, notify = os.pipe()
        os.set_blocking(notify, False)
        signal.set_wakeup_fd(notify)
        signal.signal(signal.SIGTERM, lambda *_: None)

        def wait_for_notice() -> None:
            os.read(arrived, 1)
            _say(f"SIGTERM: saving step {self.step}")
            self.save()
            os._exit(0)

        threading.Thread(target=wait_for_notice, daemon=True).start()


def _say(text: str) -> None:
    print(f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']}: {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
