"""JAX on several nodes: each finds the others, adds up what all have, and says so.

    kube-rendezvous run --name my-run --nnodes 2 -- python train_jax.py --steps 20

`kube-rendezvous run` starts this script when a round is formed, with the place of this node in the environment, and
starts it again for the next round.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

import kube_rendezvous.jax_cluster  # noqa: F401  importing it is what makes JAX ask it


def main() -> None:
    """Train until the steps are done."""
    parser = argparse.ArgumentParser(description="Sum over all nodes with JAX. Start it with `kube-rendezvous run`.")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--step-seconds", type=float, default=0.1)
    options = parser.parse_args()
    jax.distributed.initialize()  # finds its place by kube_rendezvous.jax_cluster
    weight = jnp.zeros(())
    for step in range(1, options.steps + 1):
        time.sleep(options.step_seconds)
        gradients = multihost_utils.process_allgather(np.asarray(float(jax.process_index() + 1)))
        weight = weight + jnp.mean(jnp.asarray(gradients))
        if step == 1:
            _say(f"first step of this round done: weight {float(weight):.2f}")
    _say(f"done after {options.steps} steps, weight {float(weight):.2f}")
    jax.distributed.shutdown()


def _say(text: str) -> None:
    print(f"rank {jax.process_index()} of {jax.process_count()}: {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
