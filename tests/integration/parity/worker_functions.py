"""What the workers of these tests do."""

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

VARIABLES = (
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_NAME",
    "ROLE_RANK", "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS", "TORCHELASTIC_USE_AGENT_STORE",
)  # fmt: skip
POLL_SECONDS = 0.05
LIMIT_SECONDS = 80.0


def echo(value: Any) -> Any:
    """Return what was given."""
    return value


def tell() -> dict[str, str]:
    """Return what the agent told this worker."""
    return {name: os.environ[name] for name in VARIABLES}


def fail_and_count(folder: str) -> None:
    """Write down that it started, and fail."""
    Path(folder, f"{os.environ['RANK']}-{os.environ['TORCHELASTIC_RESTART_COUNT']}").touch()
    raise ValueError("as asked")


def fail_once(folder: str) -> str:
    """Rank 0 fails in the first attempt; all return the number of restarts in the next."""
    attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
    Path(folder, f"{os.environ['RANK']}-{attempt}").touch()
    if attempt == "0" and os.environ["RANK"] == "0":
        raise ValueError("as asked")
    return attempt


def die_once() -> str:
    """Rank 1 is killed in the first attempt; all return the number of restarts in the next."""
    attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
    if attempt == "0" and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt


def fail_if_odd(folder: str) -> None:
    """Odd ranks fail, the others would run on until the file `finish` is there."""
    _die_with_agent()
    if int(os.environ["RANK"]) % 2:
        raise ValueError("as asked")
    _wait_for(Path(folder, "finish"))


def sum_of_ranks() -> int:
    """All-reduce of the ranks."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    total = torch.tensor([dist.get_rank()])
    dist.all_reduce(total)
    dist.destroy_process_group()
    return int(total.item())


def sum_by_rpc() -> int:
    """Each worker asks the next one for a sum."""
    import torch
    import torch.distributed.rpc as rpc

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    rpc.init_rpc(f"worker{rank}", rank=rank, world_size=size)
    total = rpc.rpc_sync(f"worker{(rank + 1) % size}", torch.add, args=(torch.tensor(1), torch.tensor(2)))
    rpc.shutdown()
    return int(total.item())


def finish_by_rank(folder: str) -> int:
    """End one after another: rank n only once n - 1 has."""
    rank = int(os.environ["RANK"])
    if rank:
        _wait_for(Path(folder, f"done-{rank - 1}"))
    Path(folder, f"done-{rank}").touch()
    return rank


def finish_first(folder: str, first: int) -> int:
    """Rank ``first`` ends at once, the others when the file `finish` is there; each says when it began."""
    _die_with_agent()
    rank = int(os.environ["RANK"])
    Path(folder, f"rank-{rank}-agent-{os.getppid()}").touch()
    if rank != first:
        _wait_for(Path(folder, "finish"))
    return rank


def run_until_finish(folder: str) -> tuple[int, int, str]:
    """Say that it runs, end when the file `finish` is there: its rank, the world size, the number of restarts."""
    _die_with_agent()
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    Path(folder, f"runs-{rank}-of-{size}-agent-{os.getppid()}-worker-{os.getpid()}").touch()
    _wait_for(Path(folder, "finish"))
    return rank, size, os.environ["TORCHELASTIC_RESTART_COUNT"]


def _die_with_agent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{file.name} did not come")
        time.sleep(POLL_SECONDS)
