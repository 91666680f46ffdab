"""A JAX trainer that survives, and writes a line for each step: ``python jax_trainer.py FOLDER NAME [options]``.

Each step adds to every weight the mean over all processes of what is the same everywhere, through a collective: after
step N all weights are N, on every process, however often the world has changed.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kube_rendezvous.survival import Round, survive
from kube_rendezvous.survival.jax_state import share, to_host


class State:
    """Weights, replicated on all processes, and how many steps have made them."""

    def __init__(self) -> None:
        self.step = 0
        self.weights: Any = np.zeros(8, np.float32)

    def to_host(self) -> None:
        self.weights = to_host(self.weights)


def main() -> None:
    """Train until the steps are done, or until a file FOLDER/enough is there, which process 0 sees for all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--step-seconds", type=float, default=0.02)
    options = parser.parse_args()
    who = f"{options.name}.{os.environ.get('LOCAL_RANK', '0')}"
    log = (options.folder / f"{who}.steps").open("a")
    state = State()

    def write(**what: Any) -> None:
        log.write(json.dumps({"at": time.monotonic(), "pid": os.getpid(), "step": state.step, **what}) + "\n")
        log.flush()

    write(did="start")
    with survive(engine="jax", progress=lambda: state.step, before_leaving=state.to_host) as group:
        for current in group:
            with current:
                write(did="took", round=current.number, rank=current.rank, world=current.world_size)
                work_in(current, state, options, write)
    write(did="end")


def work_in(current: Round, state: State, options: argparse.Namespace, write: Callable[..., None]) -> None:
    """One round. A function of its own: no variable of it holds an array when the round is left."""
    if current.state_source is not None:
        shared = share({"step": np.int64(state.step), "weights": state.weights}, current.state_source)
        state.step, state.weights = int(shared["step"]), shared["weights"]
    one_step = _make_step()
    while state.step < options.steps:
        current.check()
        time.sleep(options.step_seconds)
        stop = float(current.rank == 0 and state.step % 10 == 0 and (options.folder / "enough").exists())
        weights, stops = one_step(state.weights, stop)
        jax.block_until_ready(weights)  # a step that has failed must not become the state
        state.weights, state.step = weights, state.step + 1
        weight = float(np.asarray(weights.addressable_data(0))[0])
        write(did="step", round=current.number, rank=current.rank, world=current.world_size, weight=weight)
        if float(stops) > 0:
            return


def _make_step() -> Any:
    """Jitted for the devices of the present round."""
    mesh = Mesh(np.array(jax.devices()), ("processes",))
    rows, everywhere = NamedSharding(mesh, PartitionSpec("processes")), NamedSharding(mesh, PartitionSpec())

    @jax.jit
    def add(weights: jax.Array, said: jax.Array) -> tuple[jax.Array, jax.Array]:
        return weights + said[:, 0].mean(), said[:, 1].sum()

    def one_step(weights: Any, stop: float) -> tuple[jax.Array, jax.Array]:
        own = np.array([[1.0, stop]], np.float32)
        said = jax.make_array_from_process_local_data(rows, own)
        replicated = weights if isinstance(weights, jax.Array) else jax.device_put(jnp.asarray(weights), everywhere)
        summed: tuple[jax.Array, jax.Array] = add(replicated, said)
        return summed

    return one_step


if __name__ == "__main__":
    import logging

    logging.basicConfig(level="INFO", format="%(asctime)s.%(msecs)03d %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("jax").setLevel("WARNING")
    main()
