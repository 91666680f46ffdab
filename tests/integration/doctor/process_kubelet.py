"""Runs the commands of one namespace's pods as processes of this machine, and writes their statuses like a kubelet."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.cluster.watcher import Watcher

MESSAGE_FILE = "/dev/termination-log"
END_SECONDS = 20.0


class ProcessKubelet:
    """For use in a ``with`` statement.

    Args:
        address: what it gives to each pod as its IP.
        python: arguments in place of ``python3``.
        nodes: on which the pods run, in turn.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        *,
        address: str = "127.0.0.1",
        python: Sequence[str] = (sys.executable,),
        nodes: Sequence[str] = ("gpu-0", "gpu-1"),
    ) -> None:
        self._connection = connection
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._address = address
        self._python = tuple(python)
        self._nodes = nodes
        self._watcher = Watcher(connection, self._path, {}, self, name="kubelet")
        self._started: set[str] = set()
        self._threads: list[threading.Thread] = []
        self.pods: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.stop()
        for thread in self._threads:
            thread.join(END_SECONDS)

    def relisted(self, objects: list[dict[str, Any]]) -> None:
        for obj in objects:
            self.changed(obj)

    def changed(self, obj: dict[str, Any]) -> None:
        name = obj["metadata"]["name"]
        if name in self._started:
            return
        node = self._nodes[len(self._started) % len(self._nodes)]
        self._started.add(name)
        self.pods.append(obj)
        thread = threading.Thread(target=self._run, args=(obj, node), daemon=True)
        self._threads.append(thread)
        thread.start()

    def removed(self, obj: dict[str, Any]) -> None:
        pass

    def troubled(self, failure: ApiFailureError) -> None:
        pass

    def connected(self) -> None:
        pass

    def _run(self, obj: dict[str, Any], node: str) -> None:
        name = obj["metadata"]["name"]
        binding = {"target": {"kind": "Node", "name": node}, "metadata": {"name": name}}
        self._connection.request("POST", f"{self._path}/{name}/binding", body=binding)
        self._status(name, {"phase": "Running", "podIP": self._address, "podIPs": [{"ip": self._address}]})
        _, _, script, *arguments = obj["spec"]["containers"][0]["command"]
        with tempfile.TemporaryDirectory() as folder:
            message = Path(folder) / "termination-log"
            script = script.replace(MESSAGE_FILE, str(message))
            argv = [*self._python, "-c", script, *arguments]
            ended = subprocess.run(argv, env=dict(os.environ), capture_output=True, timeout=120, check=False)
            text = message.read_text() if message.exists() else ended.stderr.decode()[-500:]
        over = {"exitCode": ended.returncode, "reason": "Completed", "message": text}
        container = {"name": "doctor", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
        status = {"containerStatuses": [{**container, "state": {"terminated": over}}]}
        self._status(name, {"phase": "Failed" if ended.returncode else "Succeeded", **status})

    def _status(self, name: str, status: dict[str, Any]) -> None:
        try:
            path = f"{self._path}/{name}/status"
            self._connection.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)
        except ApiFailureError as failure:
            if failure.status != 404:  # the doctor has deleted it
                raise
