"""Train a small network on scikit-learn's digits with DDP, in processes that live through the loss of others.

    kube-rendezvous run --name digits --nnodes 2:4 --keep-survivors --nproc-per-node 1 -- \
        python train_digits_surviving.py --checkpoint /shared/digits.pt

or, without the launcher and with one process a node:

    python train_digits_surviving.py --name digits --nnodes 2:4 --checkpoint /shared/digits.pt

The same network, data and batch as in train_digits.py, which torchrun restarts for every round. What makes this one
survive is marked in the code:

(1) All that takes long (imports, data, model) comes before it joins: the others wait for whoever has joined.
(2) A round is a block. The loss or the arrival of a node ends the block, not the process; the loop takes the next one.
(3) State stays in the process. Whoever lacks some gets it from the survivor that is furthest: nothing is read again.
(4) Whatever holds connections is made anew in each round, around the same network.
(5) The sampler deals each step's samples out to whoever is there: none is repeated or left out, the batch of the whole
    world keeps its size, and the weight makes DDP's mean over ranks the mean over the step's samples.
(6) The checkpoint is for the day on which nobody survives.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import TensorDataset

from kube_rendezvous.survival import ElasticSampler, Round, survive
from kube_rendezvous.survival.torch_state import share_state

_log = logging.getLogger("train_digits")


def main() -> None:
    """Train, evaluate, and leave."""
    options = _parse_command_line()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
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
    sampler = ElasticSampler(len(training), options.batch)
    _load_checkpoint(options.checkpoint, network, optimizer, sampler)  # (6)

    def steps_done() -> int:
        return sampler.epoch * sampler.steps_an_epoch + sampler.steps_done

    with survive(options.name, nnodes=options.nnodes, progress=steps_done) as group:  # (1)
        for current in group:
            with current:  # (2)
                share_state(current, network, optimizer, sampler)  # (3)
                model = DistributedDataParallel(network)  # (4)
                _log.info("%r: go on after step %d, process %d", current, steps_done(), os.getpid())
                while sampler.epoch < options.epochs:
                    current.check()  # (2): is the round over? From memory
                    loss = _train_one_step(current, model, optimizer, sampler, training, options)
                    if sampler.steps_done == 0 and current.rank == 0:
                        _save_checkpoint(options.checkpoint, network, optimizer, sampler)  # (6)
                        _log.info("epoch %d done, loss %.4f", sampler.epoch - 1, loss)
    if current.rank == 0:
        accuracy = _accuracy(network, test)
        _log.info("accuracy on %d held-out samples: %.4f", len(test), accuracy)
        if options.result:
            result = {"accuracy": accuracy, "samples": len(test), "epochs": options.epochs}
            _replace_file(options.result, json.dumps({**result, "worldSize": current.world_size}).encode())


def _parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a small network on scikit-learn's digits with DDP. Start it with"
        " `kube-rendezvous run --keep-survivors`, or name a Rendezvous."
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
    parser.add_argument("--name", help="of the Rendezvous; only without `kube-rendezvous run`")
    parser.add_argument("--nnodes", help="MIN:MAX nodes; only without `kube-rendezvous run`")
    return parser.parse_args()


def _train_one_step(
    current: Round,
    model: DistributedDataParallel,
    optimizer: torch.optim.Optimizer,
    sampler: ElasticSampler,
    training: TensorDataset,
    options: argparse.Namespace,
) -> float:
    time.sleep(options.step_seconds)
    epoch, step = sampler.epoch, sampler.steps_done
    share = sampler.share(current.rank, current.world_size)  # (5)
    images, labels = training[list(share.indices) or [0]]  # a rank whose share is empty, of weight 0, takes part
    model.train()
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    (loss * share.weight).backward()  # (5); DDP averages the gradients here: all ranks meet
    optimizer.step()
    sampler.step_is_done()  # nothing that may fail stands between these two: the step is done, or undone and done again
    _tell_progress(options.progress, current, epoch=epoch, step=step, steps=sampler.steps_an_epoch, loss=loss.item())
    return loss.item()


def _load_samples() -> tuple[TensorDataset, TensorDataset]:
    """1437 samples to train with and 360 to test with, the same in every process."""
    digits = load_digits()
    images = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)  # pixels are 0 to 16
    labels = torch.tensor(digits.target)
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    training, test = shuffled[:1437], shuffled[1437:]
    return TensorDataset(images[training], labels[training]), TensorDataset(images[test], labels[test])


def _load_checkpoint(file: Path, *parts: Any) -> None:
    """Restore the newest state, if there is one."""
    if file.exists():
        for part, state in zip(parts, torch.load(file, weights_only=True), strict=True):
            part.load_state_dict(state)


def _save_checkpoint(file: Path, *parts: Any) -> None:
    half_written = file.with_name(f".{file.name}.{os.getpid()}")
    torch.save([part.state_dict() for part in parts], half_written)
    half_written.replace(file)  # it appears whole or not at all: a node may die while it writes


def _replace_file(file: Path, content: bytes) -> None:
    half_written = file.with_name(f".{file.name}.{os.getpid()}")
    half_written.write_bytes(content)
    half_written.replace(file)


def _accuracy(network: Any, samples: TensorDataset) -> float:
    images, labels = samples.tensors
    network.eval()
    with torch.no_grad():
        return float((network(images).argmax(dim=1) == labels).float().mean())


def _tell_progress(file: Path | None, current: Round, **numbers: float) -> None:
    if file is None:
        return
    line = json.dumps(
        {
            "time": time.time(),
            "rank": current.rank,
            "worldSize": current.world_size,
            **numbers,
            "restarts": int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
            "masterAddr": os.environ["MASTER_ADDR"],
            "masterPort": int(os.environ["MASTER_PORT"]),
            "pid": os.getpid(),
        }
    )
    with file.open("a") as stream:  # one short write at the end: lines of several processes do not mix
        stream.write(f"{line}\n")


if __name__ == "__main__":
    main()
