"""Pods reach each other on a machine whose own firewall forwards nothing, as Docker sets it up."""

import json
from collections.abc import Iterator

import pytest

from node.machine import look
from node.pods import NAME, run_pod
from rendezvous_local.images.base import base_image
from rendezvous_local.node.machine_commands import run, try_to_run
from rendezvous_local.node.node import Node

OTHER = "listener"
LISTEN = """
import socket  # a pod of the test
server = socket.create_server(("", 8080))
while True:
    caller, _ = server.accept()
    caller.sendall(b"hello")
    caller.close()
"""
CALL = "import socket, sys; print(socket.create_connection((sys.argv[1], 8080), timeout=30).recv(5).decode())"


@pytest.fixture
def nothing_is_forwarded() -> Iterator[None]:
    policy = try_to_run(["iptables", "-S", "FORWARD"]).partition("\n")[0].split()
    if not policy:
        pytest.skip("there is no iptables on this machine")
    had_table = "table ip filter" in run(["nft", "list", "tables"])
    run(["iptables", "-P", "FORWARD", "DROP"])
    yield
    run(["iptables", *policy])
    if not had_table:
        try_to_run(["nft", "delete", "table", "ip", "filter"])


def run_listener(node: Node) -> str:
    """A second pod, which greets who connects to it; returns its address."""
    image, _ = base_image()
    container = {
        "name": "main",
        "image": image,
        "command": ["python", "-c", LISTEN],
        "readinessProbe": {"exec": {"command": ["python", "-c", CALL, "127.0.0.1"]}, "periodSeconds": 1},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": OTHER}, "spec": spec}
    node.run_kubectl("apply", "-f", "-", text=json.dumps(pod))
    node.run_kubectl("wait", "--for=condition=Ready", f"pod/{OTHER}", "--timeout=60s", seconds=70)
    return node.run_kubectl("get", "pod", OTHER, "-o=jsonpath={.status.podIP}")


@pytest.mark.usefixtures("nothing_is_forwarded")
def test_a_pod_reaches_another_one_and_the_rule_goes_with_the_node() -> None:
    before = look()

    with Node() as node:
        run_pod(node)
        address = run_listener(node)
        assert node.run_kubectl("exec", NAME, "--", "python", "-c", CALL, address).strip() == "hello"

    assert look().left_since(before) == {}
