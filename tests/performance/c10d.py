"""The same, done by torch's own c10d rendezvous: real handlers in threads on one TCPStore, in a process of their own.

    python -m performance.c10d told --nodes 4 --limit 10
    python -m performance.c10d whole|last --nodes 64 --limit 120

Each prints one line of JSON. Connecting to the store is not part of the time, although every node has to.
"""

import argparse
import json
import logging
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from typing import Any

GRACE_SECONDS = 60.0
_POLL_SECONDS = 0.1
_KEEP_ALIVE_SECONDS = 1


def knows_backoff() -> bool:
    """Whether the installed torch can spread c10d's storm (`cas_backoff_max_seconds`)."""
    from torch.distributed.elastic.rendezvous.dynamic_rendezvous import RendezvousSettings

    return any(field.name == "cas_backoff_max_seconds" for field in fields(RendezvousSettings))


def run_c10d(what: str, nodes: int, limit: float, backoff: float = 0.0) -> Any:
    """Run one measurement in a process of its own; its answer, or None if it did not end in time.

    Args:
        what: "told", "whole" or "last".
        nodes: how many.
        limit: seconds.
        backoff: `cas_backoff_max_seconds`, torch's default is 0.
    """
    command = [sys.executable, "-m", "performance.c10d", what, f"--nodes={nodes}", f"--limit={limit}"]
    command += [f"--backoff={backoff}"] if backoff else []
    # Where it is overtaken by its time limit, torch would fill the screen with the stacks of its broken connections.
    environment = {"TORCH_CPP_LOG_LEVEL": "ERROR", **os.environ}
    patience = limit + GRACE_SECONDS
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=patience, check=True, text=True)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout)


class _Nodes:
    """So many handlers, each with its own connection to one store."""

    def __init__(self, count: int, limit: float, backoff: float = 0.0) -> None:
        from torch.distributed import TCPStore
        from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import C10dRendezvousBackend
        from torch.distributed.elastic.rendezvous.dynamic_rendezvous import (
            DynamicRendezvousHandler,
            RendezvousTimeout,
        )

        self._limit = limit
        self._server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self.backend = C10dRendezvousBackend(self._server, "bench")
        patience = timedelta(seconds=max(600.0, limit))
        self.handlers = []
        for _ in range(count):
            store = TCPStore("127.0.0.1", self._server.port, is_master=False, wait_for_workers=False)
            handler = DynamicRendezvousHandler.from_backend(
                "bench",
                store,
                C10dRendezvousBackend(store, "bench"),
                min_nodes=max(1, count - 1),
                max_nodes=count,
                local_addr="127.0.0.1",
                timeout=RendezvousTimeout(join=patience, last_call=patience),
                keep_alive_interval=_KEEP_ALIVE_SECONDS if count <= 8 else 5,
                **({"cas_backoff_max_seconds": backoff} if backoff else {}),
            )
            self.handlers.append(handler)

    def join(self, handlers: list[Any]) -> Callable[[float], bool]:
        """Call `next_rendezvous` of each in a thread; return what waits until all have returned."""
        threads = [threading.Thread(target=handler.next_rendezvous, daemon=True) for handler in handlers]
        for thread in threads:
            thread.start()

        def all_returned(deadline: float) -> bool:
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            return not any(thread.is_alive() for thread in threads)

        return all_returned

    def participants(self) -> int:
        """How many the shared state has."""
        state = self.backend.get_state()
        return len(pickle.loads(state[0]).participants) if state is not None else 0


def _whole(nodes: int, limit: float, backoff: float) -> float | None:
    them = _Nodes(nodes, limit, backoff)
    began = time.monotonic()
    return time.monotonic() - began if them.join(them.handlers)(began + limit) else None


def _last(nodes: int, limit: float, backoff: float) -> float | None:
    them = _Nodes(nodes, limit, backoff)
    *early, last = them.handlers
    all_early = them.join(early)
    deadline = time.monotonic() + limit
    while them.participants() < len(early):
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_SECONDS)
    began = time.monotonic()
    all_last = them.join([last])
    returned = all_last(began + limit) and all_early(began + limit)
    return time.monotonic() - began if returned else None


def _told(nodes: int, limit: float, backoff: float) -> int:
    """How many survivors are told within the limit that one node has died; it is found dead after 3 s."""
    them = _Nodes(nodes, limit, backoff)
    if not them.join(them.handlers)(time.monotonic() + 60):
        raise TimeoutError("c10d formed no round within 60 s")
    *survivors, dead = them.handlers
    dead._stop_heartbeats()
    told: set[int] = set()
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and len(told) < len(survivors):
        told |= {number for number, one in enumerate(survivors) if one.num_nodes_waiting() > 0}
        time.sleep(_POLL_SECONDS)
    return len(told)


def main() -> None:
    """Measure what the arguments say, and print it."""
    parser = argparse.ArgumentParser(prog="performance.c10d", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["told", "whole", "last"])
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--limit", type=float, required=True, help="seconds")
    parser.add_argument("--backoff", type=float, default=0.0, help="cas_backoff_max_seconds (default: torch's, 0)")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    measure: Callable[[int, float], Any] = {"told": _told, "whole": _whole, "last": _last}[options.what]
    print(json.dumps(measure(options.nodes, options.limit, options.backoff)), flush=True)  # noqa: T201
    os._exit(0)  # its threads may wait for ever


if __name__ == "__main__":
    main()
