"""Command line: ``python -m rendezvous_local up``, ``build``, ``node`` and ``image``."""

import argparse
import os
import shlex
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from rendezvous_local.binaries import find_or_build, find_or_build_all
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.images.command import add_image_command, run_image_command
from rendezvous_local.node.command import add_node_commands, run_node_command
from rendezvous_local.node.system_packages import FOR_PAGES, install_missing
from rendezvous_local.operator_process import OperatorProcess
from rendezvous_local.processes import ChildProcess
from rendezvous_local.programs import ACTIONLINT, COSIGN, CRANE, HELM, KREW
from rendezvous_local.progress import Progress
from rendezvous_local.supervised import ENDING, interrupt_once

EXAMPLES = CRDS.parent / "deploy" / "examples"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns its exit status."""
    options = _parser().parse_args(arguments)
    for number in ENDING:
        signal.signal(number, interrupt_once)
    try:
        return _run(options)
    except LocalControlPlaneError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    if options.command == "node":
        return run_node_command(options)
    if options.command == "image":
        return run_image_command(options)
    if options.command == "build":
        return _build(for_tests=options.for_tests)
    return _up(run_operator=options.operator, log=options.operator_log)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rendezvous_local",
        description="A real Kubernetes control plane on this machine: etcd and kube-apiserver, no root, no containers;"
        " or, with `node`, a whole cluster of one node.",
        epilog="Programs come from KUBEBUILDER_ASSETS, else from the cache (KUBE_RENDEZVOUS_CACHE, by default"
        " ~/.cache/kube-rendezvous), else they are built with Go >= 1.26, which takes some minutes the first time.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser(
        "up",
        help="start it, with the CRDs and the operator, and wait for Ctrl-C",
        description="Starts a new control plane in a temporary folder, applies the CRDs, runs the operator, prints the"
        " KUBECONFIG to use, and waits. Ctrl-C ends everything and removes the folder. A KUBECONFIG of your own is"
        " left alone.",
    )
    up.add_argument("--no-operator", dest="operator", action="store_false", help="leave the operator to you")
    up.add_argument(
        "--operator-log", type=Path, metavar="FILE", help="append the operator's log to FILE, not to stderr"
    )
    build = commands.add_parser(
        "build",
        help="only find or build the programs, and print where they are",
        description="Finds or builds etcd, kube-apiserver, kubectl and helm, and prints where they are, one a line.",
    )
    build.add_argument(
        "--for-tests",
        action="store_true",
        help="also what some tests need: actionlint, crane, krew, and as root Debian's chromium",
    )
    add_node_commands(commands)
    add_image_command(commands)
    return parser


def _build(*, for_tests: bool) -> int:
    programs = find_or_build_all()
    helm = find_or_build(HELM)
    if for_tests:  # now, one after the other: tests run side by side, and have a time limit
        for program in (ACTIONLINT, COSIGN, CRANE, KREW):
            find_or_build(program)
        try:
            if os.geteuid() == 0:
                install_missing(FOR_PAGES)
        except LocalControlPlaneError as error:
            _say(f"tests that need a browser are left out: {error}")
    sys.stdout.write(f"{programs.etcd}\n{programs.kube_apiserver}\n{programs.kubectl}\n{helm}\n")
    return 0


def _up(*, run_operator: bool, log: Path | None) -> int:
    own = os.environ.get("KUBECONFIG")
    if own:
        _say(f"your KUBECONFIG ({own}) is left alone: this is a new, empty cluster")
    with ExitStack() as stack:
        control_plane = ControlPlane(find_or_build_all())
        with Progress("starting etcd and kube-apiserver"):
            stack.enter_context(control_plane)
        names = apply_crds(control_plane.kubeconfig)
        _say(f"applied {', '.join(names) or f'no CRD: there is none in {CRDS}'}")
        if run_operator:
            with Progress("starting the operator"):
                stack.enter_context(OperatorProcess(control_plane.kubeconfig, log=log))
        _tell_what_next(control_plane)
        try:
            _wait_for_an_end(control_plane.processes)
        except KeyboardInterrupt:  # the usual way to end it, and no failure
            _say("stopping …")
    return 0


def _wait_for_an_end(processes: list[ChildProcess]) -> NoReturn:
    while True:
        for process in processes:
            if process.wait(0.5):
                raise LocalControlPlaneError(
                    f"{process.name} ended unasked with exit status {process.exit_code}. The end of its log:\n"
                    f"{process.log_tail()}"
                )


def _tell_what_next(control_plane: ControlPlane) -> None:
    kubectl = "kubectl" if shutil.which("kubectl") else shlex.quote(str(control_plane.kubectl))
    example = next(iter(sorted(EXAMPLES.glob("*.yaml"))), None)
    apply = f"  {kubectl} apply -f {shlex.quote(os.path.relpath(example))}\n" if example else ""
    sys.stdout.write(
        f"\nThe API server is at {control_plane.url}, its log in {control_plane.folder}. In another terminal:\n\n"
        f"  export KUBECONFIG={shlex.quote(str(control_plane.kubeconfig))}\n{apply}  {kubectl} get rdzv --watch\n\n"
        "Ctrl-C ends it and removes everything.\n"
    )
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
