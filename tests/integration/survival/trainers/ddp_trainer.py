"""A trainer that survives, and writes a line for each step: ``python ddp_trainer.py FOLDER NAME [options]``.

Every line: when (monotonic clock of the machine), pid, what it did, the number of the last step that is done. A step
has two: before it, the indices of its samples; after it, a sum over the weights. Tests make it fail on purpose by files
in FOLDER: NAME.LOCAL_RANK.raises ends it with an error of its own; for NAME.LOCAL_RANK.moment see `moments`, for
NAME.LOCAL_RANK.hangs `LargeSend`. On a GPU with TRAINER_DEVICE=cuda, see `one_gpu_for_all`.
"""

import argparse
import json
import logging
import os
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moments
import torch
import torch.distributed as dist
from large_send import LargeSend
from one_gpu_for_all import device_of
from torch.nn.parallel import DistributedDataParallel

from kube_rendezvous.survival import ElasticSampler, Round, survive
from kube_rendezvous.survival.torch_state import share_state

SAMPLES = 240


@dataclass
class Step:
    """The step that has been done last."""

    done: int = 0

    def state_dict(self) -> dict[str, Any]:
        # As elements that gloo does not send.
        return {"done": torch.tensor([self.done // 1000, self.done % 1000], dtype=torch.int16)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        thousands, rest = state["done"].tolist()
        self.done = 1000 * thousands + rest


def main(arguments: Sequence[str] | None = None) -> None:
    """Train until the steps are done, or until a file FOLDER/enough is there, which rank 0 sees for all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--rendezvous")
    parser.add_argument("--namespace")
    parser.add_argument("--nnodes")
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--global-batch", type=int, default=24)
    parser.add_argument("--step-seconds", type=float, default=0.02)
    parser.add_argument("--engine", default=None)
    parser.add_argument("--join-timeout", type=int, default=120)
    parser.add_argument("--news-timeout", type=float, default=20.0)
    parser.add_argument("--take-in-timeout", type=float, default=30.0)
    parser.add_argument("--summed-megabytes", type=int, default=0, help="of all ranks, in each step")
    parser.add_argument("--sent-megabytes", type=int, default=0, help="from rank 0 to the last one, in each step")
    parser.add_argument("--send-beside", choices=["yes", "no"], default="no", help="another collective")
    options = parser.parse_args(arguments)
    who = f"{options.name}.{os.environ.get('LOCAL_RANK', '0')}"
    device = device_of(who)
    torch.set_num_threads(1)
    torch.manual_seed(7)
    inputs = torch.randn(SAMPLES, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(device)
    targets = inputs.sum(dim=1, keepdim=True).tanh()
    network = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)).double().to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    summed = torch.zeros(options.summed_megabytes << 18, device=device)
    sampler, step = ElasticSampler(SAMPLES, options.global_batch, seed=3), Step()
    log = (options.folder / f"{who}.steps").open("a")
    raises = options.folder / f"{who}.raises"
    moments.watch(options.folder / f"{who}.moment")

    def write(**what: Any) -> None:
        line = {"at": time.monotonic(), "pid": os.getpid(), "step": step.done, **what}
        log.write(json.dumps(line) + "\n")
        log.flush()

    def one_step(current: Round, model: torch.nn.Module, large: LargeSend) -> None:
        if raises.exists():
            raises.unlink()
            raise LookupError("a sample cannot be read")
        share = sampler.share(current.rank, current.world_size)
        where = {"round": current.number, "rank": current.rank, "world": current.world_size, "epoch": sampler.epoch}
        write(did="begin", indices=share.indices, **where)
        time.sleep(options.step_seconds)
        chosen = list(share.indices) or [0]
        loss = torch.nn.functional.mse_loss(model(inputs[chosen]), targets[chosen]) * share.weight
        optimizer.zero_grad()
        loss.backward()
        if len(summed):
            dist.all_reduce(summed)
        large.send()
        current.confirm()
        optimizer.step()
        step.done += 1
        sampler.step_is_done()
        write(did="step", weights=_sum_over(network), **where)

    write(did="start")
    with survive(
        options.rendezvous,
        namespace=options.namespace,
        nnodes=options.nnodes,
        progress=lambda: step.done,
        engine=options.engine,
        news_timeout=options.news_timeout,
        take_in_timeout=options.take_in_timeout,
        join_timeout=options.join_timeout,
    ) as group:
        for current in group:
            with current:
                write(did="took", round=current.number, rank=current.rank, world=current.world_size)
                share_state(current, network, optimizer, sampler, step)
                model = DistributedDataParallel(network)
                hangs = options.folder / f"{who}.hangs"
                large = LargeSend(current, options.sent_megabytes, hangs, beside=options.send_beside == "yes")
                while step.done < options.steps and not _enough(current, options.folder, step.done, device):
                    current.check()
                    one_step(current, model, large)
    with torch.no_grad():
        loss = torch.nn.functional.mse_loss(network(inputs), targets).item()
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    write(did="end", loss=loss, weights=_sum_over(network), fds=descriptors, threads=threads)


def _sum_over(network: torch.nn.Module) -> int:
    """The same for the same weights, to the last bit."""
    total = 0
    for parameter in network.parameters():
        total = zlib.crc32(parameter.detach().cpu().numpy().tobytes(), total)
    return total


def _enough(current: Round, folder: Path, done: int, device: torch.device) -> bool:
    """All ranks must see it before the same step: rank 0 looks, and says so to all."""
    if done % 10:
        return False
    seen = torch.tensor([float(current.rank == 0 and (folder / "enough").exists())], device=device)
    dist.all_reduce(seen)
    current.confirm()
    return bool(seen.item())


def log_to_stderr() -> None:
    """What the library has to say, with milliseconds."""
    logging.basicConfig(level="INFO", format="%(asctime)s.%(msecs)03d %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("urllib3").setLevel("WARNING")


if __name__ == "__main__":
    log_to_stderr()
    main()
