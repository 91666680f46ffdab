"""A node of this machine. These tests need root, and that no other node runs here."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.pods import run_pod
from rendezvous_local.node.layout import root_folder
from rendezvous_local.node.node import Node
from rendezvous_local.node.node_programs import find_build_or_install
from rendezvous_local.node.state_folder import StateFolder


@pytest.fixture(scope="session", autouse=True)
def this_machine() -> None:
    """They are about the node that we make, not about a cluster of the reader's, and begin on a machine without one.

    What an interrupted run has left would look like a part of the machine, and its clean-up like something left over.
    """
    if os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is set: no node is made on this machine")
    owner = StateFolder(root_folder()).owner()
    if owner is not None:
        pytest.fail(f"a node runs on this machine (process {owner}): end it with Ctrl-C or `node down` first")
    subprocess.run([sys.executable, "-m", "rendezvous_local", "node", "down"], check=True, timeout=280)


LATE_SECONDS = 10  # longer than all else takes, a pod included


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with one pod. Its DNS begins late: the node is not there before it answers."""
    programs = find_build_or_install()
    late_dns = tmp_path_factory.mktemp("programs") / programs.dns.name
    late_dns.write_text(f'#!/bin/sh\nsleep {LATE_SECONDS}\nexec {programs.dns} "$@"\n')
    late_dns.chmod(0o755)
    with Node(replace(programs, dns=late_dns)) as node:
        run_pod(node)
        yield node
