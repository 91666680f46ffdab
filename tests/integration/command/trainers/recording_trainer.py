"""A trainer that writes how it was started, and then does as files in its folder say.

    recording_trainer.py FOLDER NODE [stubborn]

It binds MASTER_PORT if it is rank 0. With ``FOLDER/NODE.exit`` it ends with the status in there, each time it finds it,
and removes it; with ``FOLDER/all.exit`` likewise, and leaves it. A stubborn one does not hear SIGTERM.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

POLL_SECONDS = 0.02


def main() -> None:
    folder, node = Path(sys.argv[1]), sys.argv[2]
    if "stubborn" in sys.argv[3:]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.environ["RANK"] == "0" and "RENDEZVOUS_SOCKET_FD" not in os.environ:
        store = socket.socket()
        store.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        store.bind(("0.0.0.0", int(os.environ["MASTER_PORT"])))
        store.listen()
    # A child as data loaders are: it would live on.
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "RENDEZVOUS_ROUND", "JAX_COORDINATOR_ADDRESS")
    started = {name: os.environ[name] for name in names} | {"pid": os.getpid(), "child": child.pid}
    started["socket"] = os.environ.get("RENDEZVOUS_SOCKET_FD", "")
    with (folder / f"{node}.starts").open("a") as file:
        file.write(json.dumps(started) + "\n")
    while True:
        for name, once in ((f"{node}.exit", True), ("all.exit", False)):
            order = folder / name
            if order.exists():
                status = int(order.read_text() or "0")
                if once:
                    order.unlink()
                if status < 0:
                    os.kill(os.getpid(), -status)
                sys.exit(status)
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
