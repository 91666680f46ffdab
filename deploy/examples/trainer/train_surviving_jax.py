"""A training loop for JAX whose processes live through the loss of others, process 0 included.

    kube-rendezvous run --name my-run --nnodes 2:3 --keep-survivors -- python train_surviving_jax.py --steps 1000

The sibling of train_jax.py, which is started again for every round. Four things make this script survive, and they are
marked in the code:

(1) A round is a block. The loss or the arrival of a node ends the block, not the process; the loop takes the next one.
(2) Arrays do not outlive a round: between two of them the state is copied to the host.
(3) A round's work is a function of its own, so that no variable holds an array, and with it the old round's
    connections, when the round is left. What is compiled is compiled in it, for the devices of this round.
(4) Whoever lacks state gets it from the one that is furthest.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kube_rendezvous.survival import Round, survive
from kube_rendezvous.survival.jax_state import share, to_host

FEATURES = 16


def main() -> None:
    """Train until the steps are done."""
    options = _parse_command_line()
    state = State()
    with survive(engine="jax", progress=lambda: state.step, before_leaving=state.to_host) as group:  # (2)
        for current in group:
            with current:  # (1)
                _train(current, state, options)  # (3)
    print(f"done after {state.step} steps, pid {os.getpid()}", flush=True)  # noqa: T201


def _parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a very small network with JAX. Start it with `kube-rendezvous run --keep-survivors`."
    )
    parser.add_argument("--steps", type=int, default=0, help="stop after this many steps; 0: never (default)")
    parser.add_argument("--step-seconds", type=float, default=0.2, help="as if the model were large (default: 0.2)")
    return parser.parse_args()


class State:
    """The weights, the same on all processes, and how many steps have made them."""

    def __init__(self) -> None:
        self.step = 0
        self.weights: Any = np.zeros(FEATURES, np.float32)

    def to_host(self) -> None:
        """(2): after it no array of the round is held."""
        self.weights = to_host(self.weights)

    def take_the_newest(self, current: Round) -> None:
        """(4)."""
        if current.state_source is not None:
            newest = share({"step": np.int64(self.step), "weights": self.weights}, current.state_source)
            self.step, self.weights = int(newest["step"]), newest["weights"]


def _train(current: Round, state: State, options: argparse.Namespace) -> None:
    state.take_the_newest(current)
    one_step = _make_step()
    first = state.step + 1
    while not options.steps or state.step < options.steps:
        current.check()  # is the round over? From memory
        time.sleep(options.step_seconds)
        weights, loss = one_step(state.weights, state.step)
        jax.block_until_ready(weights)  # a step that has failed must not become the state
        state.weights, state.step = weights, state.step + 1
        if state.step == first:
            _say(current, f"first step of this round done: step {state.step}, pid {os.getpid()}")
        elif state.step % 25 == 0:
            _say(current, f"step {state.step}, loss {float(loss.addressable_data(0)):.3f}")


def _make_step() -> Callable[[Any, int], tuple[jax.Array, jax.Array]]:
    """(3): compiled for the devices of the present round; each process brings the samples of its own."""
    mesh = Mesh(np.array(jax.devices()), ("processes",))
    by_process, everywhere = NamedSharding(mesh, PartitionSpec("processes")), NamedSharding(mesh, PartitionSpec())

    def loss_of(weights: jax.Array, samples: jax.Array) -> jax.Array:
        return jnp.mean((samples @ weights - samples.sum(axis=1)) ** 2)

    def update(weights: jax.Array, samples: jax.Array) -> tuple[jax.Array, jax.Array]:
        loss, gradient = jax.value_and_grad(loss_of)(weights, samples)  # over all processes' samples: all of them meet
        return weights - 0.05 * gradient, loss

    compiled = jax.jit(update, out_shardings=everywhere)

    def one_step(weights: Any, step: int) -> tuple[jax.Array, jax.Array]:
        own = np.random.default_rng((jax.process_index(), step)).standard_normal((32, FEATURES), np.float32)
        samples = jax.make_array_from_process_local_data(by_process, own)
        replicated = weights if isinstance(weights, jax.Array) else jax.device_put(weights, everywhere)
        updated: tuple[jax.Array, jax.Array] = compiled(replicated, samples)
        return updated

    return one_step


def _say(current: Round, text: str) -> None:
    print(f"rank {current.rank} of {current.world_size}: {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
