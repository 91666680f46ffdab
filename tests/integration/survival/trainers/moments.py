"""Fails the trainer at an exact moment of taking a round in, when a test asks for it.

A file that says, for example, ``SIGKILL before exchange_rosters``: the next time that the trainer comes there, it takes
the file away and sends itself the signal. After a SIGSTOP it goes on from there when it gets SIGCONT.
"""

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch.distributed import distributed_c10d as c10d

from kube_rendezvous.survival import reconfigure_engine, reinit_engine

MOMENTS = ("open_round_store", "exchange_rosters", "connect")
"""The round's store is served or reached; workers tell each other who they are; their process groups connect."""


def watch(file: Path) -> None:
    """Look for the file at each moment."""
    for engine in (reconfigure_engine, reinit_engine):
        for moment in MOMENTS[:2]:
            setattr(engine, moment, _watched(file, moment, getattr(engine, moment)))
    for module, connect in ((c10d, "_reconfigure"), (dist, "init_process_group")):
        if hasattr(module, connect):
            setattr(module, connect, _watched(file, MOMENTS[2], getattr(module, connect)))


def _watched(file: Path, moment: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        _fail_if_asked(file, f"before {moment}")
        answer = function(*arguments, **options)
        _fail_if_asked(file, f"after {moment}")
        return answer

    return call


def _fail_if_asked(file: Path, moment: str) -> None:
    if not file.exists():
        return
    number, _, when = file.read_text().partition(" ")
    if when == moment:
        file.unlink()
        os.kill(os.getpid(), signal.Signals[number])
