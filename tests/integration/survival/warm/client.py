"""Stands for a trainer that `server` runs: ``python -I -S client.py SOCKET [argument of the trainer]…``.

Hands its environment, output and end of the launcher's sockets over, passes signals on, and ends as the trainer does.
"""

import json
import os
import signal
import socket
import sys

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def _main() -> int:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.connect(sys.argv[1])
    launcher = os.environ.get("RENDEZVOUS_LAUNCHER_FD")
    asked = json.dumps({"arguments": sys.argv[2:], "environment": dict(os.environ)}).encode()
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    socket.send_fds(server, [asked], [1, 2, *([int(launcher)] if launcher else [])])
    if launcher:
        os.close(int(launcher))
    trainer = int(server.recv(64))
    for number in _PASSED_ON:
        signal.signal(number, lambda number, _: os.kill(trainer, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    status = int(server.recv(64) or b"1")
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    sys.exit(_main())
