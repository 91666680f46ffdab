"""Plays one node's launcher, without Kubernetes: a listening socket, forwarders, and the coordination service.

Told by lines of JSON on standard input, answered line by line:
    {"do": "announce"}                                                       -> the port that others are to reach
    {"do": "round", "number": 2, "processes": 3, "host": …, "port": …, "serves": true}  -> the workers' coordinator
"""

import json
import socket
import sys

from kube_rendezvous.keeping.coordinator_process import CoordinatorProcess
from kube_rendezvous.keeping.forwarder import Forwarder


def main() -> None:
    coordinator = CoordinatorProcess()
    announced: socket.socket | None = None
    serving: Forwarder | None = None
    shields: list[Forwarder] = []
    for line in sys.stdin:
        asked = json.loads(line)
        match asked["do"]:
            case "announce":
                announced = socket.create_server(("127.0.0.1", 0))
                answer: object = announced.getsockname()[1]
            case "round":
                if asked["serves"]:
                    port = coordinator.serve(asked["number"], asked["processes"], timeout=30)
                    before, serving = serving, Forwarder("127.0.0.1", port, listening=announced, shield=False)
                    announced = None
                    if before is not None:
                        before.close()
                shields.append(Forwarder(asked["host"], asked["port"], shield=True))
                answer = shields[-1].address
                for old in shields[:-2]:  # a worker holds the one before until it has left
                    old.close()
                del shields[:-2]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    coordinator.stop()


if __name__ == "__main__":
    main()
