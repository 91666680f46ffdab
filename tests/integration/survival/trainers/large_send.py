"""A large tensor from rank 0 to the last rank in each step, whose receiver may hang in the midst of it."""

import os
import signal
from pathlib import Path

import torch
import torch.distributed as dist

from kube_rendezvous.survival import Round


class LargeSend:
    """Of one round.

    Args:
        current: the round.
        megabytes: of the tensor; 0: nothing is ever sent.
        beside: whether each rank goes on to another collective before it waits for the end of this one.
        hangs: a file; when it is there the receiver takes it away and stops itself as soon as the first bytes are in.
    """

    def __init__(self, current: Round, megabytes: int, hangs: Path, *, beside: bool) -> None:
        self._rank, self._last, self._hangs = current.rank, current.world_size - 1, hangs
        self._beside = beside
        self._to_send = megabytes > 0 and self._last > 0
        if self._to_send:
            self._pair = dist.new_group([0, self._last])
            self._tensor = torch.empty(megabytes << 18)

    def send(self) -> None:
        """Send and receive it; of no effect for the other ranks."""
        if not self._to_send:
            return
        work = None
        if self._rank in (0, self._last):
            self._tensor.fill_(self._rank == 0)
            work = dist.broadcast(self._tensor, src=0, group=self._pair, async_op=True)
        if self._rank == self._last and self._hangs.exists():
            self._hangs.unlink()
            while not self._tensor[0]:
                pass
            os.kill(os.getpid(), signal.SIGSTOP)
        if self._beside:
            dist.all_reduce(torch.zeros(1))
        if work is not None:
            work.wait()
