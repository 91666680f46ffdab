"""Command line: ``python -m rendezvous_local node up``, ``down``, ``build`` and ``status``."""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from rendezvous_local.binaries import cache_folder, find_or_build
from rendezvous_local.controllers.catalogue import ALL
from rendezvous_local.controllers.running import Controllers
from rendezvous_local.controllers.running import build_all as build_controllers
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.images.for_node import ImageNames, build_images
from rendezvous_local.node.clean_up import clean_up
from rendezvous_local.node.feature_gates import NEWEST
from rendezvous_local.node.layout import Folders, root_folder
from rendezvous_local.node.node import Node, could_not_clean_up
from rendezvous_local.node.node_programs import find_build_or_install
from rendezvous_local.node.orphans import processes_of
from rendezvous_local.node.state_folder import StateFolder
from rendezvous_local.node.system_packages import FOR_IMAGES, FOR_THE_NODE, install_missing, require_root
from rendezvous_local.processes import ChildProcess
from rendezvous_local.programs import HELM, KWOK
from rendezvous_local.progress import Progress

READY = "ready.json"  # in the node's folder, once it is up: what a person needs to use it
LOG = "node.log"  # in the cache: what a node that was left running says at its end
END_SECONDS = 60.0


def add_node_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``node`` and its own commands to a parser."""
    packages = " ".join(program.package for program in (*FOR_THE_NODE, *FOR_IMAGES))
    node = commands.add_parser(
        "node",
        help="a real cluster of one node, with pods; needs root",
        description="A real Kubernetes cluster of one node on this machine: etcd, the control plane, kubelet,"
        " containerd, kube-proxy, DNS. It needs root on Linux. Everything lies in one folder (KUBE_RENDEZVOUS_NODE_DIR,"
        f" by default {root_folder({})}), and what it changes outside is taken back at its end.",
        epilog="Programs come from the cache or are built with Go >= 1.26 (about 8 minutes the first time). Missing"
        f" Debian packages are installed by apt-get: {packages}.",
    )
    actions = node.add_subparsers(dest="action", required=True)
    up = actions.add_parser(
        "up",
        help="start it, print the KUBECONFIG to use, and wait for Ctrl-C",
        description="Starts an empty cluster and prints the KUBECONFIG to use. Ctrl-C ends it and takes everything"
        " back.",
    )
    up.add_argument(
        "--detach", action="store_true", help="return when it is up, and leave it running until `node down`"
    )
    up.add_argument("--images", action="store_true", help="also build the project's images and load them into the node")
    up.add_argument(
        "--controllers",
        nargs="*",
        choices=ALL,
        metavar="NAME",
        help=f"also build and start the job controllers of these projects, by default all: {', '.join(ALL)}",
    )
    up.add_argument(
        "--newest-gates", action="store_true", help="with the feature gates on that have a part in what is read here"
    )
    up.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)  # how --detach calls us
    actions.add_parser(
        "down",
        help="end it, or clean up after one that was killed",
        description="Ends the node that runs on this machine. If none runs, takes back whatever a killed one has left:"
        " processes, mounts, network namespaces, bridge, firewall rules, control groups, kernel settings.",
    )
    build = actions.add_parser(
        "build",
        help="only find, build or install everything that a node and its tests need",
        description="Builds or installs the programs of the node, helm, kwok, and the images: what takes long, once.",
    )
    build.add_argument("--controllers", action="store_true", help="also the job controllers of other projects")
    actions.add_parser("status", help="say whether it runs, and how to use it")


def run_node_command(options: argparse.Namespace) -> int:
    """Runs ``node up``, ``down``, ``build`` or ``status``; returns the exit status.

    Raises:
        LocalControlPlaneError: It failed.
    """
    if options.action == "down":
        return _down()
    if options.action == "build":
        return _build(controllers=options.controllers)
    if options.action == "status":
        return _status()
    return _up_detached(options) if options.detach else _up(options)


def _build(*, controllers: bool) -> int:
    find_build_or_install()
    if controllers:
        build_controllers()
    find_or_build(HELM)
    find_or_build(KWOK)
    names = build_images(None)
    sys.stdout.write(f"{names.operator}\n{names.client}\n{names.python}\n")
    return 0


def _up(options: argparse.Namespace) -> int:
    node = Node(find_build_or_install(), gates=NEWEST if options.newest_gates else ())
    controllers = Controllers(node)
    if options.images:
        install_missing(FOR_IMAGES)
    try:
        with Progress("starting the node"):
            node.start()
        names = build_images(node) if options.images else None
        if options.controllers is not None:
            controllers.start(options.controllers or ALL)  # without a name it means all of them
        text = _what_next(node, names)
        (node.folders.root / READY).write_text(json.dumps({"text": text}))
        sys.stdout.write(text)
        if not options.detached:
            sys.stdout.write("\nCtrl-C ends it and takes everything back.\n")
        sys.stdout.flush()
        if options.detached:
            _leave_terminal(cache_folder() / LOG)
        try:
            _wait_for_an_end(node.parts.all + controllers.processes)
        except KeyboardInterrupt:  # the usual way to end it, and no failure
            sys.stderr.write("stopping …\n")
    finally:
        controllers.stop()
        node.stop()
    return 0


def _up_detached(options: argparse.Namespace) -> int:
    require_root()
    state = StateFolder(root_folder())
    if state.owner() is not None:
        raise LocalControlPlaneError(
            f"a node runs already (process {state.owner()}): `node status` shows how to use it"
        )
    command = [
        sys.executable,
        "-m",
        "rendezvous_local",
        "node",
        "up",
        "--detached",
        *(["--images"] if options.images else []),
        *(["--newest-gates"] if options.newest_gates else []),
        *(["--controllers", *options.controllers] if options.controllers is not None else []),
    ]
    # Until it is up it writes to our stderr; after that to a log, or whoever reads our output would wait for its end.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    ready = state.root / READY
    try:
        while not (state.owner() == child.pid and ready.exists()):
            if child.poll() is not None:
                raise LocalControlPlaneError("the node did not come up: its message is above")
            time.sleep(0.2)
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        child.wait(END_SECONDS)
        raise
    sys.stdout.write(json.loads(ready.read_text())["text"] + "\nIt runs until: python -m rendezvous_local node down\n")
    return 0


def _leave_terminal(log: Path) -> None:
    """From now on our output, such as why the node ended, goes to ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _down() -> int:
    require_root()
    state = StateFolder(root_folder())
    owner = state.owner()
    if owner is not None:
        with Progress(f"ending the node (process {owner})"):
            _end_owner(state, owner)
    if not state.exists:
        sys.stderr.write("nothing of a node is on this machine\n")
        return 0
    state.take()
    try:
        problems = clean_up(state.root)
    finally:
        state.release()
    if problems:
        raise LocalControlPlaneError(could_not_clean_up(problems))
    sys.stderr.write("cleaned up\n")
    return 0


def _end_owner(state: StateFolder, owner: int) -> None:
    os.kill(owner, signal.SIGTERM)
    deadline = time.monotonic() + END_SECONDS
    while state.owner() == owner:
        if time.monotonic() > deadline:
            os.kill(owner, signal.SIGKILL)  # what it leaves is cleaned up next
            deadline = time.monotonic() + END_SECONDS
        time.sleep(0.1)


def _status() -> int:
    state = StateFolder(root_folder())
    owner = state.owner()
    if owner is None:
        left = f", but {state.root} is left of one that was killed: `node down` cleans up" if state.exists else ""
        log = cache_folder() / LOG
        sys.stdout.write(f"no node runs on this machine{left}\n")
        if log.exists():
            sys.stdout.write(f"what the last one said: {log}\n")
        return 1
    sys.stdout.write(f"process {owner} runs a node in {state.root}\n")
    for number, name in sorted(processes_of(state.root).items()):
        sys.stdout.write(f"  {Path(name).name} (process {number})\n")
    ready = state.root / READY
    folders = Folders(state.root)
    text = json.loads(ready.read_text())["text"] if ready.exists() else ""
    sys.stdout.write(text or f"\n  export KUBECONFIG={shlex.quote(str(folders.admin_kubeconfig))}\n")
    return 0


def _what_next(node: Node, names: ImageNames | None) -> str:
    kubectl = "kubectl" if shutil.which("kubectl") else shlex.quote(str(node.kubectl))
    lines = [
        f"\nA cluster of one node is at {node.url}, its logs in {node.folders.logs}. As root, in another terminal:\n",
        f"  export KUBECONFIG={shlex.quote(str(node.kubeconfig))}",
        f"  {kubectl} get pods --all-namespaces",
    ]
    lines += ["\nTo load an image of your own, from `docker save` or `podman save`:\n"]
    lines += [f"  {shlex.join(node.load_command('FILE.tar'))}"]
    if names is not None:
        lines += ["\nImages that pods can use:\n", f"  {names.operator}", f"  {names.client}", f"  {names.python}"]
    return "\n".join(lines) + "\n"


def _wait_for_an_end(processes: list[ChildProcess]) -> NoReturn:
    while True:
        for process in processes:
            if process.wait(0.2):
                raise LocalControlPlaneError(
                    f"{process.name} ended unasked with exit status {process.exit_code}. The end of its log:\n"
                    f"{process.log_tail()}"
                )
