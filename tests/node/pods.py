"""A pod to try the node with."""

import json
from pathlib import Path
from typing import Any

from rendezvous_local.images.base import base_image
from rendezvous_local.node.layout import Folders
from rendezvous_local.node.machine_commands import run
from rendezvous_local.node.node import Node

NAME = "sleeper"
READY = ("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s")
SLEEP = "import time  # a pod of the test\ntime.sleep(3600)"


def run_pod(node: Node) -> None:
    """Runs a pod that sleeps, and waits until it is Ready."""
    image, archive = base_image()
    node.load_image(archive)
    node.run_kubectl("apply", "-f", "-", text=manifest(image))
    node.run_kubectl(*READY, seconds=70)


def run_pod_by(kubectl: Path, ctr: Path, folders: Folders) -> None:
    """Does the same on a node of another process, of which we know only the folder."""
    image, archive = base_image()
    run([str(ctr), f"--address={folders.containerd_socket}", "--namespace=k8s.io", "images", "import", str(archive)])
    by_administrator = [str(kubectl), f"--kubeconfig={folders.admin_kubeconfig}"]
    run([*by_administrator, "apply", "-f", "-"], text=manifest(image))
    run([*by_administrator, *READY], seconds=70)


def manifest(image: str) -> str:
    """The pod, as JSON."""
    container = {"name": "main", "image": image, "command": ["python", "-c", SLEEP]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME}, "spec": spec})


def read_pod(node: Node) -> dict[str, Any]:
    """The Pod object."""
    pod: dict[str, Any] = json.loads(node.run_kubectl("get", "pod", NAME, "-o", "json"))
    return pod


def restarts(node: Node) -> int:
    """How often its container was started again."""
    return int(read_pod(node)["status"]["containerStatuses"][0]["restartCount"])
