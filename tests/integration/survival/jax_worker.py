"""A JAX process that does what it is told: one line of JSON on standard input each, answered by one that begins with @.

`interrupt` is done at once, by the thread that reads; all else by the main thread, in order.
"""

import faulthandler
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kube_rendezvous.survival import jax_runtime, jax_state

_kept: dict[str, Any] = {}


def main() -> None:
    faulthandler.register(signal.SIGUSR1)  # where one hangs
    logging.basicConfig(level=logging.WARNING)
    told: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(told,), daemon=True).start()
    _say(up=os.getpid())
    while (asked := told.get()) is not None:
        try:
            done = globals()[f"_{asked.pop('do')}"](**asked)
        except Exception as error:
            _say(error=type(error).__name__, message=str(error), at=time.monotonic())
        else:
            _say(done=done, at=time.monotonic())


def _read(told: "queue.SimpleQueue[dict[str, Any] | None]") -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "interrupt":
            jax_runtime.interrupt()
        else:
            told.put(asked)
    told.put(None)


def _say(**answer: Any) -> None:
    sys.stdout.write(f"\n@{json.dumps(answer)}\n")
    sys.stdout.flush()


def _enter(coordinator: str, processes: int, process: int, timeout: float, arrival_timeout: float | None = None) -> int:
    jax_runtime.enter(coordinator, processes, process, timeout=timeout, arrival_timeout=arrival_timeout)
    return jax.process_count()


def _leave() -> None:
    jax_runtime.leave()


def _together(own: np.ndarray[Any, Any]) -> tuple[Any, NamedSharding]:
    mesh = Mesh(np.array(jax.devices()), ("processes",))
    rows = NamedSharding(mesh, PartitionSpec("processes"))
    return jax.make_array_from_process_local_data(rows, own[None]), NamedSharding(mesh, PartitionSpec())


def _dispatched() -> Any:
    rows, everywhere = _together(np.full(4, jax.process_index() + 1.0, np.float32))
    return jax.jit(lambda x: x.sum(axis=0), out_shardings=everywhere)(rows)


def _step() -> float:
    """The sum of 1..N over all processes."""
    return float(np.array(_dispatched().addressable_data(0))[0])


def _keep_replicated(value: float) -> None:
    _kept["state"] = jnp.full(8, value)


def _forget() -> None:
    _kept.clear()


def _share(source: int, fill: int, length: int) -> dict[str, Any]:
    """A state of several kinds; from the source all come to equal those of `fill` there."""
    state = {
        "step": np.int64(2**40 + fill),
        "zero": np.array([-0.0, np.nan], np.float32),
        "half": jnp.full((3, length), fill, jnp.bfloat16),
        "flags": np.array([True, False, fill % 2 == 0]),
        "empty": np.zeros((0, 3)),
        "lr": 0.25 * fill,
        "fortran": np.asfortranarray(np.full((2, 3), fill)),
    }
    got = jax_state.share(state, source)
    return {
        "step": int(got["step"]),
        "negative_zero": bool(np.signbit(got["zero"][0])),
        "nan": bool(np.isnan(got["zero"][1])),
        "half": float(got["half"].astype(np.float32).sum()),
        "half_type": str(got["half"].dtype),
        "flags": got["flags"].tolist(),
        "lr": float(got["lr"]),
        "fortran": got["fortran"].sum().item(),
    }


def _share_large(source: int, mib: int) -> float:
    own = np.full(mib * 1024 * 1024, jax.process_index(), np.uint8)
    begun = time.monotonic()
    got = jax_state.share({"large": own}, source)["large"]
    assert (got == source).all()
    return time.monotonic() - begun


def _publish(key: str, value: str) -> None:
    jax_runtime.publish(key, value)


def _lookup(key: str, timeout: float) -> str:
    return jax_runtime.lookup(key, timeout=timeout)


def _figures() -> dict[str, int]:
    with open("/proc/self/status") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
    return {
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,  # the listing's own
        "threads": len(os.listdir("/proc/self/task")),
        "rss_kib": resident,
    }


if __name__ == "__main__":
    main()
