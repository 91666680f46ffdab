"""The node is a real cluster: pods run, reach what pods reach, and survive what containers survive."""

import time
from collections.abc import Callable

from node.pods import NAME, read_pod, restarts
from rendezvous_local.node import parts
from rendezvous_local.node.node import Node

SECONDS = 90.0
ASK = """
import socket, ssl, urllib.request
trusted = ssl.create_default_context(cafile="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
with urllib.request.urlopen("https://kubernetes.default.svc/readyz", context=trusted, timeout=10) as answer:
    print(answer.read().decode(), socket.gethostbyname("kubernetes.default"))
"""


def eventually(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {SECONDS:.0f} s: {what}"
        time.sleep(0.1)


def node_is_ready(node: Node) -> bool:
    path = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    return node.run_kubectl("get", "node", node.name, path) == "True"


def test_a_pod_reaches_the_api_server_by_its_name_and_trusts_it(node: Node) -> None:
    assert node.run_kubectl("exec", NAME, "--", "python", "-c", ASK).startswith("ok 10.")


def test_a_container_that_is_killed_starts_again_in_the_same_pod(node: Node) -> None:
    identity, before = read_pod(node)["metadata"]["uid"], restarts(node)

    node.containers.kill("default", NAME)

    eventually("the container runs again", lambda: restarts(node) == before + 1)
    assert read_pod(node)["metadata"]["uid"] == identity


def test_containers_go_on_while_the_kubelet_is_away(node: Node) -> None:
    eventually("the pod is Ready", lambda: read_pod(node)["status"]["containerStatuses"][0]["ready"])
    number = node.containers.process_number("default", NAME)

    node.stop_kubelet(kill=True)
    node.start_kubelet()

    assert node.containers.process_number("default", NAME) == number
    eventually("the node is Ready", lambda: node_is_ready(node))


def test_containers_go_on_while_the_api_server_is_away(node: Node) -> None:
    number = node.containers.process_number("default", NAME)

    node.stop_api_server(kill=True)
    node.start_api_server()

    assert node.containers.process_number("default", NAME) == number
    eventually("the node is Ready", lambda: node_is_ready(node))
    assert all(part.running for part in node.parts.all if part.name != parts.CONTAINERD)
