"""Train a small network on scikit-learn's digits with DDP, so that it can lose or gain nodes at any step.

    torchrun --rdzv-backend=kubernetes --rdzv-id=digits --nnodes=2:4 --nproc-per-node=1 \
        train_digits.py --checkpoint /shared/digits.pt

torchrun starts new processes for every round, so nothing here waits for a change of the world. An elastic script needs
four things, and they are marked in the code:

(1) It goes on from the newest checkpoint, whatever its rank and the world size are now.
(2) A checkpoint appears whole or not at all: a node may die while it writes.
(3) The batch of the whole world has a fixed size, of which each rank takes its share: the learning rate stays right.
(4) The loss of a peer is not its own failure: it waits until torchrun, which is told of the loss, stops it.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

_log = logging.getLogger("train_digits")

TOLD_SECONDS = 120.0
"""How long to wait for torchrun to stop this process after a peer was lost; then it fails by itself."""


def main() -> None:
    """Train, evaluate, and leave."""
    options = _parse_command_line()
    dist.init_process_group("gloo")  # address, port, rank and world size come from torchrun's environment
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s rank {dist.get_rank()} of {dist.get_world_size()}: %(message)s"
    )
    try:
        _train_and_evaluate(options)
    except RuntimeError as error:  # how gloo says that a peer's connection is gone
        _wait_to_be_stopped(error)
        raise
    dist.destroy_process_group()


def _parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a small network on scikit-learn's digits with DDP. Start it with torchrun."
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="file that all nodes can read and write")
    parser.add_argument("--epochs", type=int, default=20, help="train until this many are done (default: 20)")
    parser.add_argument("--batch", type=int, default=128, help="samples in a step of the whole world (default: 128)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="of Adam (default: 0.002)")
    parser.add_argument(
        "--step-seconds", type=float, default=0.0, help="sleep in each step, as if the model were large (default: 0)"
    )
    parser.add_argument("--progress", type=Path, help="append one JSON object for each step and rank to this file")
    parser.add_argument("--result", type=Path, help="rank 0 writes the accuracy on the held-out samples to this file")
    return parser.parse_args()


def _train_and_evaluate(options: argparse.Namespace) -> None:
    rank, world_size = dist.get_rank(), dist.get_world_size()
    training, test = _load_samples()
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, kernel_size=3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, kernel_size=3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.3),
        torch.nn.Linear(32 * 4 * 4, 10),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    epochs_done = _load_checkpoint(options.checkpoint, network, optimizer)  # (1)
    _log.info("start at epoch %d of %d", epochs_done, options.epochs)
    model = DistributedDataParallel(network)
    sampler = DistributedSampler(training, seed=0)
    batches = DataLoader(training, batch_size=max(1, options.batch // world_size), sampler=sampler)  # (3)
    for epoch in range(epochs_done, options.epochs):
        sampler.set_epoch(epoch)  # another order in each epoch, the same one after a restart
        model.train()
        for step, (images, labels) in enumerate(batches):
            time.sleep(options.step_seconds)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(images), labels)
            loss.backward()  # DDP averages the gradients here: all ranks meet
            optimizer.step()
            _tell_progress(options.progress, epoch=epoch, step=step, steps=len(batches), loss=loss.item())
        if rank == 0:
            _save_checkpoint(options.checkpoint, network, optimizer, epoch + 1)
            _log.info("epoch %d done, loss %.4f", epoch, loss.item())
    if rank == 0:
        accuracy = _accuracy(network, test)
        _log.info("accuracy on %d held-out samples: %.4f", len(test), accuracy)
        if options.result:
            result = {"accuracy": accuracy, "samples": len(test), "epochs": options.epochs, "worldSize": world_size}
            _replace_file(options.result, json.dumps(result).encode())


def _load_samples() -> tuple[TensorDataset, TensorDataset]:
    """1437 samples to train with and 360 to test with, the same in every process."""
    digits = load_digits()
    images = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)  # pixels are 0 to 16
    labels = torch.tensor(digits.target)
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    training, test = shuffled[:1437], shuffled[1437:]
    return TensorDataset(images[training], labels[training]), TensorDataset(images[test], labels[test])


def _load_checkpoint(file: Path, network: Any, optimizer: Any) -> int:
    """Restore the newest state, if there is one; return how many epochs are done.

    Every rank reads the same file: rank 0 writes it only after an epoch, for which it needs all the others.
    """
    if not file.exists():
        return 0
    state = torch.load(file, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epochs_done"])


def _save_checkpoint(file: Path, network: Any, optimizer: Any, epochs_done: int) -> None:
    half_written = file.with_name(f".{file.name}.{os.getpid()}")
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epochs_done": epochs_done}
    torch.save(state, half_written)
    half_written.replace(file)  # (2)


def _replace_file(file: Path, content: bytes) -> None:
    half_written = file.with_name(f".{file.name}.{os.getpid()}")
    half_written.write_bytes(content)
    half_written.replace(file)


def _accuracy(network: Any, samples: TensorDataset) -> float:
    images, labels = samples.tensors
    network.eval()
    with torch.no_grad():
        return float((network(images).argmax(dim=1) == labels).float().mean())


def _tell_progress(file: Path | None, **numbers: float) -> None:
    if file is None:
        return
    line = json.dumps(
        {
            "time": time.time(),
            "rank": dist.get_rank(),
            "worldSize": dist.get_world_size(),
            **numbers,
            "restarts": int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
            "masterAddr": os.environ["MASTER_ADDR"],
            "masterPort": int(os.environ["MASTER_PORT"]),
            "pid": os.getpid(),
        }
    )
    with file.open("a") as stream:  # one short write at the end: lines of several processes do not mix
        stream.write(f"{line}\n")


def _wait_to_be_stopped(error: RuntimeError) -> None:
    """(4): who fails here uses up one of torchrun's --max-restarts; who is stopped because of a new round does not."""
    _log.warning("a peer was lost (%s); waiting for the next round", str(error).splitlines()[0])
    time.sleep(TOLD_SECONDS)  # torchrun ends it with SIGTERM


if __name__ == "__main__":
    main()
