"""Some of a fleet's members, played by one process: real handlers, a connection each, driven as agents drive them.

    python -m performance.player --kubeconfig FILE

Does what its standard input says (see `Player` and `performance.commands`). It imports nothing but the client, and of
that only what commit 7c85a93 has too: with another commit's `client` first in PYTHONPATH it plays that commit's
members. Moments are on the machine's monotonic clock, which all processes share.
"""

import argparse
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from kube_rendezvous.api import RendezvousParameters
from kube_rendezvous.cluster import Connection
from kube_rendezvous.handler import KubernetesRendezvousHandler
from kube_rendezvous.settings import read_settings
from kube_rendezvous.store_choice import open_address_only
from performance.commands import answer_commands
from performance.spent import Spent

PATIENCE_SECONDS = 300
_STACK_BYTES = 256 << 10
_TURN_SECONDS = 0.1
"""How long a thread may run Python while others wait to (Python's own: 0.005). A node has a process of its own; here
hundreds of threads wait for one interpreter, and asked every 5 ms for the turn of the one that ran. With 125 handlers a
process that was half of the time until all of 999 were told (0.85 and 2.7 s instead of 0.3, on a busy machine)."""


class Player:
    """Answers each command, a method of that name, with what it returns.

    Args:
        kubeconfig: the cluster, and who all members are there.
    """

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig
        self._handlers: list[KubernetesRendezvousHandler] = []
        self._requests: list[str] = []
        self._joins: list[Future[float]] = []
        self._told: list[Future[float]] = []

    def prepare(self, namespace: str, rendezvous: str, first: int, count: int, nodes: int) -> dict[str, Any]:
        """Make so many handlers, numbered from `first`, of a rendezvous of `nodes` nodes. Nothing is sent yet."""
        self._handlers = []
        for number in range(first, first + count):
            connection = Connection.open(self._kubeconfig)
            connection.on_request = lambda method, status, path: self._requests.append(method)
            parameters = RendezvousParameters(
                "kubernetes",
                namespace,
                rendezvous,
                nodes,
                nodes,
                join_timeout=PATIENCE_SECONDS,
                create="never",
                slot=str(number),
                local_addr="127.0.0.1",
            )
            self._handlers.append(KubernetesRendezvousHandler(read_settings(parameters), connection, open_address_only))
        return {}

    def join(self) -> dict[str, Any]:
        """Let all of them join, each in a thread.

        Returns:
            began, ended: moments: before the first thread starts, and when the last `next_rendezvous` has returned.
            cpu: seconds of this process in between. requests: how many were sent. read, written: bytes, with TLS.
            names: of the Members.
        """
        before, began = Spent.now(len(self._requests)), time.monotonic()
        self._joins = [_in_thread(handler.next_rendezvous) for handler in self._handlers]
        ended = max(join.result(PATIENCE_SECONDS) for join in self._joins)
        spent = before.until(Spent.now(len(self._requests)))
        return {"began": began, "ended": ended, "names": [_outlook(one).me.name for one in self._handlers], **spent}

    def arm(self, victim: str) -> dict[str, Any]:
        """Let each wait until it is told to stop, and join again, as an agent does, once all of this process have been.

        A node of its own is not slowed down by others that join already, and has workers to stop before it does.

        Args:
            victim: the Member that will be deleted; a real handler finds that out by itself.
        """
        self._told = [Future() for _ in self._handlers]
        self._before = Spent.now(len(self._requests))
        all_told = threading.Barrier(len(self._handlers))
        self._joins = [
            _in_thread(lambda handler=handler, told=told: _again(handler, told, all_told))
            for handler, told in zip(self._handlers, self._told, strict=True)
        ]
        return {}

    def joined_again(self) -> dict[str, Any]:
        """Wait until all have. As `join`; `told`: the moment when the last was told."""
        told = max(one.result(PATIENCE_SECONDS) for one in self._told)
        ended = max(join.result(PATIENCE_SECONDS) for join in self._joins)
        spent = self._before.until(Spent.now(len(self._requests)))
        return {"told": told, "ended": ended, "names": [_outlook(one).me.name for one in self._handlers], **spent}

    def leave(self) -> dict[str, Any]:
        """End all of them without a word to anybody."""
        for handler in self._handlers:
            _session(handler).stop()
        self._handlers = []
        return {}


def _session(handler: KubernetesRendezvousHandler) -> Any:
    return handler._session


def _outlook(handler: KubernetesRendezvousHandler) -> Any:
    """What it knows; in earlier commits the session itself."""
    return getattr(handler._session, "outlook", handler._session)


def _again(handler: KubernetesRendezvousHandler, told: "Future[float]", all_told: threading.Barrier) -> None:
    _session(handler).wait_until(lambda: _outlook(handler).nodes_waiting() > 0, PATIENCE_SECONDS)
    told.set_result(time.monotonic())
    all_told.wait(PATIENCE_SECONDS)
    handler.next_rendezvous()


def _in_thread(call: Callable[[], object]) -> "Future[float]":
    """The moment when the call has returned."""
    future: Future[float] = Future()

    def run() -> None:
        try:
            call()
            future.set_result(time.monotonic())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def main() -> None:
    """Play until the standard input ends."""
    parser = argparse.ArgumentParser(prog="performance.player", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kubeconfig", required=True)
    player = Player(parser.parse_args().kubeconfig)
    logging.disable(logging.WARNING)
    threading.stack_size(_STACK_BYTES)
    sys.setswitchinterval(_TURN_SECONDS)
    answer_commands(player)
    os._exit(0)  # handlers that wait would keep it


if __name__ == "__main__":
    main()
