"""The torchrun Job with four pods, which trains until the tests are done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from e2e.example_overlay import Patch, replace
from e2e.examples import Examples
from e2e.running_example import RunningExample

EXAMPLE = "torchrun-job"
NODES = 4
FOR_EVER = Patch("Job", (replace("/spec/template/spec/containers/0/args/6", "--steps=0"),))
START_SECONDS = 240.0


@dataclass(frozen=True)
class JobRun:
    """The run, and how long it took from `kubectl apply` to the first round and to the first step of every pod."""

    run: RunningExample
    first_round_seconds: float
    first_step_seconds: float

    def stands(self) -> None:
        """Wait until all four train in one round."""
        self.run.wait_for_round(NODES, START_SECONDS)


@contextmanager
def running_job(examples: Examples) -> Iterator[JobRun]:
    """Start it and wait for the first steps."""
    began = time.time()
    with examples.start(EXAMPLE, [FOR_EVER]) as run:
        run.wait_for_round(NODES, START_SECONDS)
        formed = time.time()
        stepped = run.wait_for_first_steps(NODES, START_SECONDS)
        yield JobRun(run, formed - began, stepped - began)
