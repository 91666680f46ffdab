"""Serves JAX's coordination service for one round after another: ``python -m kube_rendezvous.keeping.jax_coordinator``.

Reads one line of JSON for each round, ``{"round": 7, "processes": 6}``, and answers with one line: ``{"round": 7,
"port": 41234}`` of 127.0.0.1, or ``{"round": 7, "error": "…"}``. Its first line says ``{"ready": true}``. Ends with its
standard input and with its parent. Services of older rounds stay for a while.

Each service is a process of its own, forked from one that has imported jaxlib and has no threads of gRPC yet. To end a
service in the ordinary way would end the workers that still hold it: it answers all its open calls with an error, which
no forwarder keeps from them, and the runtime takes that for the end of the job. SIGKILL closes its connections without
a word, and that a forwarder does keep from them.
"""

import contextlib
import ctypes
import importlib
import json
import os
import signal
import socket
import stat
import sys
import threading
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
# A lost process is told by its Member, never by JAX: a service or a client that thinks for itself ends the survivors.
_HEARTBEAT_SECONDS = 10 * 365 * 86400
_CONNECT_SECONDS = 60
_OLD_SECONDS, _MOST_OLD = 90.0, 8


def _main() -> None:
    parent = os.getppid()
    _die_with(parent)
    # Heavy, and done before a round needs it.
    jaxlib = importlib.import_module("jaxlib._jax")

    _answer({"ready": True})
    children: list[tuple[float, int]] = []
    for line in sys.stdin:
        asked = json.loads(line)
        child, answer = _serve_in_child(jaxlib, int(asked["processes"]))
        _answer({"round": asked["round"], **answer})
        # A process may still be entering an older round, and can be freed from its waits through that one's service.
        now = time.monotonic()
        while children and (len(children) >= _MOST_OLD or now - children[0][0] > _OLD_SECONDS):
            _kill(children.pop(0)[1])
        children.append((now, child))
    for _, child in children:
        _kill(child)


def _serve_in_child(jaxlib: Any, processes: int) -> tuple[int, dict[str, Any]]:
    read, write = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(read)
        _serve(jaxlib, processes, write, parent)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.readline()
    return child, json.loads(said) if said else {"error": "the coordination service ended while it was started"}


def _serve(jaxlib: Any, processes: int, write: int, parent: int) -> None:
    """In the child: serve until killed."""
    try:
        _die_with(parent)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):  # the parent's: its end must be seen where it is waited for
            os.dup2(null, descriptor)
        # Port 0, so that it cannot be one that is taken meanwhile.
        before = _listening_ports()
        service = jaxlib.get_distributed_runtime_service(
            "127.0.0.1:0", processes, heartbeat_timeout=_HEARTBEAT_SECONDS, shutdown_timeout=1, recoverable=True
        )
        (port,) = _listening_ports() - before
        _stand_in_once(jaxlib, port, processes)
        os.write(write, json.dumps({"port": port}).encode() + b"\n")
        os.close(write)
        while service:
            signal.pause()
    except BaseException as error:
        os.write(write, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
    finally:
        os._exit(1)


def _stand_in_once(jaxlib: Any, port: int, processes: int) -> None:
    """Connect once for every process, and go.

    The service lets no client in before all of a round are there, and a client that waits in vain ends its process.
    Once all have been there, each that comes is taken for one that comes back, and is let in at once.
    """
    clients = [
        jaxlib.get_distributed_runtime_client(
            f"127.0.0.1:{port}",
            process,
            init_timeout=_CONNECT_SECONDS,
            heartbeat_timeout=_HEARTBEAT_SECONDS,
            shutdown_on_destruction=False,
        )
        for process in range(processes)
    ]
    threads = [threading.Thread(target=client.connect) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _listening_ports() -> set[int]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.stat(int(name)).st_mode):
                with socket.socket(fileno=os.dup(int(name))) as one:
                    if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        found.add(int(one.getsockname()[1]))
    return found


def _die_with(parent: int) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _answer(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main()
