"""Runs in the training image, as ``python3 -c``: needs nothing but Python, and an old one will do.

    listen PORT SECONDS           waits for a caller
    call HOST PORT SECONDS        calls; and tries the API server and a name, as every member's pod has to

What it finds goes into the pod's termination message, as JSON.
"""

import json
import os
import socket
import sys
import threading
import time

MESSAGE_FILE = "/dev/termination-log"
GREETING = b"kube-rendezvous doctor\n"
NAME = "kubernetes.default.svc"
TRY_SECONDS = 10.0


def image() -> "dict[str, object]":
    """What the image holds."""
    found: dict[str, object] = {"python": "{}.{}.{}".format(*sys.version_info[:3]), "time": time.time()}
    try:
        from importlib.metadata import entry_points, version
    except ImportError:
        return found
    for key, package in (("torch", "torch"), ("kubeRendezvous", "kube-rendezvous")):
        try:
            found[key] = version(package)
        except Exception:
            found[key] = ""
    try:
        [entry] = [e for e in entry_points(group="torchrun.handlers") if e.name == "kubernetes"]
        entry.load()
    except Exception as error:
        found["entryPointProblem"] = repr(error)[:300]
    return found


def surroundings() -> "dict[str, object]":
    """What a pod reaches of the cluster, beside other pods; empty where there is none."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        return {}
    found: dict[str, object] = {"apiServer": f"{host} port {port}"}
    try:
        socket.create_connection((host, int(port)), TRY_SECONDS).close()
    except OSError as error:
        found["apiServerProblem"] = str(error)
    answers: list[str] = []
    # The resolver has no limit that could be set.
    asking = threading.Thread(target=lambda: answers.append(resolved(port)), daemon=True)
    asking.start()
    asking.join(TRY_SECONDS)
    problem = answers[0] if answers else f"no answer within {TRY_SECONDS:.0f} s"
    if problem:
        found["nameProblem"] = f"{NAME}: {problem}"
    return found


def resolved(port: str) -> str:
    """Why a name that every cluster has is not resolved; "" if it is."""
    try:
        socket.getaddrinfo(NAME, port)
    except OSError as error:
        return str(error)
    return ""


def listen(port: int, seconds: float) -> None:
    """Wait for one caller."""
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    with socket.create_server(("", port), family=family, dualstack_ipv6=family == socket.AF_INET6) as server:
        server.settimeout(seconds)
        connection, _ = server.accept()
        with connection:
            connection.sendall(GREETING)


def call(host: str, port: int, seconds: float) -> None:
    """Call until somebody answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((host, port), 3) as connection:
                if connection.recv(len(GREETING)) == GREETING:
                    return
                raise OSError(f"somebody else answers at {host} port {port}")
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


def main(what: str, *arguments: str) -> None:
    """Do it, and say how it went."""
    report = image()
    try:
        if what == "listen":
            listen(int(arguments[0]), float(arguments[1]))
        else:
            report.update(surroundings())
            call(arguments[0], int(arguments[1]), float(arguments[2]))
    except OSError as error:
        report["error"] = "{} {}: {}".format(what, " ".join(arguments[:-1]), error)
    text = json.dumps(report)
    sys.stdout.write(text + "\n")
    with open(MESSAGE_FILE, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
