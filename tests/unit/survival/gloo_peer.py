"""One other process of a gloo group, for `test_gloo_connections`."""

import multiprocessing
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

SECONDS = 60.0
# torch is imported once, and not by each process.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["torch.distributed", "unit.survival.gloo_peer"])


class Peer:
    """Waits for `sum`, and says what came of it."""

    def __init__(self, file: Path, rank: int, size: int) -> None:
        self._ours, theirs = _PROCESSES.Pipe()
        self.process = _PROCESSES.Process(target=_serve, args=(theirs, str(file), rank, size), daemon=True)
        self.process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self.process.pid is not None
        return self.process.pid

    def sum(self) -> None:
        """Let it begin an all_reduce."""
        self._ours.send("sum")

    def says(self) -> str:
        """What it says next."""
        assert self._ours.poll(SECONDS)
        said: str = self._ours.recv()
        return said

    def end(self) -> None:
        """At once."""
        self.process.kill()
        self.process.join()
        self._ours.close()


def join(file: Path | str, rank: int, size: int) -> None:
    """Make the group."""
    import torch.distributed as dist

    store = dist.FileStore(str(file), size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=timedelta(seconds=120))


def summed() -> str:
    """The sum of everybody's 1, or what gloo says."""
    import torch
    import torch.distributed as dist

    value = torch.ones(1)
    try:
        dist.all_reduce(value)
    except RuntimeError as error:
        return f"error: {str(error).splitlines()[0]}"
    return str(int(value.item()))


def _serve(orders: Connection, file: str, rank: int, size: int) -> None:
    join(file, rank, size)
    orders.send("ready")
    while orders.recv():
        orders.send(summed())
