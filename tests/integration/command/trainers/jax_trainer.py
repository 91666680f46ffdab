"""Several JAX processes that add up their ranks, as often as they can.

    jax_trainer.py FOLDER NODE

Writes each round's world size and sum once; ends when there is FOLDER/all.exit.
"""

import json
import os
import sys
import time
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

import kube_rendezvous.jax_cluster  # noqa: F401


def main() -> None:
    folder, node = Path(sys.argv[1]), sys.argv[2]
    jax.distributed.initialize(initialization_timeout=30)
    mine = np.asarray(float(jax.process_index() + 1))
    said = False
    while True:
        over = float((folder / "all.exit").exists())
        sums = multihost_utils.process_allgather(np.stack([mine, np.asarray(over)]))
        if not said:
            said = True
            with (folder / f"{node}.starts").open("a") as file:
                start = {name: os.environ[name] for name in ("RANK", "WORLD_SIZE", "RENDEZVOUS_ROUND")}
                start |= {"pid": os.getpid(), "processes": jax.process_count(), "sum": float(sums[:, 0].sum())}
                file.write(json.dumps(start) + "\n")
        if sums[:, 1].all():  # all have seen it: nobody waits for one that is gone
            break
        time.sleep(0.05)
    jax.distributed.shutdown()


if __name__ == "__main__":
    main()
