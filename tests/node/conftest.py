"""A node of this machine. These tests need root, and that no other node runs here."""

import os
from collections.abc import Iterator

import pytest

from node.pods import run_pod
from rendezvous_local.node.node import Node


@pytest.fixture(scope="session", autouse=True)
def this_machine() -> None:
    """They are about the node that we make, not about a cluster of the reader's."""
    if os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is set: no node is made on this machine")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node with one pod."""
    with Node() as node:
        run_pod(node)
        yield node
