"""A node takes back everything that it did to the machine, also when it is killed."""

import os
import signal
import subprocess
import sys

from integration.handlers.eventually import eventually
from node.machine import look
from node.pods import run_pod, run_pod_by
from rendezvous_local.binaries import find_or_build
from rendezvous_local.node.layout import Folders, root_folder
from rendezvous_local.node.node import Node
from rendezvous_local.node.state_folder import StateFolder
from rendezvous_local.programs import CTR, KUBECTL

COMMAND = [sys.executable, "-m", "rendezvous_local", "node"]


def command(*arguments: str) -> None:
    subprocess.run([*COMMAND, *arguments], check=True, timeout=280)


def test_nothing_is_left_when_it_ends() -> None:
    before = look()

    with Node() as node:
        run_pod(node)
        assert set(look().left_since(before)) >= {"processes", "mounts", "interfaces", "firewall", "control_groups"}

    assert look().left_since(before) == {}


def start_one_and_kill_it() -> None:
    """A node with a pod, whose process is killed like one that has eaten the memory."""
    command("up", "--detach")
    owner = StateFolder(root_folder()).owner()
    assert owner is not None
    run_pod_by(find_or_build(KUBECTL), find_or_build(CTR), Folders(root_folder()))
    os.kill(owner, signal.SIGKILL)
    eventually(lambda: StateFolder(root_folder()).owner() is None, "the end of the process that was killed")


def test_nothing_is_left_by_one_that_was_killed_once_it_is_taken_down() -> None:
    before = look()
    start_one_and_kill_it()

    command("down")

    assert look().left_since(before) == {}


def test_the_next_one_cleans_up_after_one_that_was_killed() -> None:
    before = look()
    start_one_and_kill_it()

    with Node() as node:
        run_pod(node)

    assert look().left_since(before) == {}
