"""Command line: `python -m rendezvous_demo`."""

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kube_rendezvous.cluster import Connection
from rendezvous_demo import scenario, surviving_scenario
from rendezvous_demo.checks import check_share
from rendezvous_demo.display import Display
from rendezvous_demo.errors import DemoError
from rendezvous_demo.first_words import first_words
from rendezvous_demo.kubectl import Kubectl
from rendezvous_demo.nodes import KEEPS_SURVIVORS, TORCHRUN, Launcher, NodeSettings
from rendezvous_demo.observation import Observation
from rendezvous_demo.report import print_checks, print_history, print_recoveries, print_times
from rendezvous_demo.scenario import NODES, Scenario
from rendezvous_demo.stage import Stage
from rendezvous_demo.surviving_scenario import SurvivingScenario
from rendezvous_local.cluster import Cluster, cluster
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.operator_process import OperatorProcess
from rendezvous_local.owned_folder import OwnedFolder
from rendezvous_local.supervised import run_supervised

LOG_LINES = 25
EPILOG = """\
what happens:
  1. a Kubernetes control plane starts on this machine (etcd and kube-apiserver, no root, no containers; the first time
     they are built, which takes some minutes). With KUBECONFIG set, that cluster is used instead: the CRDs are applied
     and stay there, everything else is in a namespace kube-rendezvous-demo-… that is removed at the end.
  2. the operator starts, and deploy/examples/rendezvous.yaml is applied.
  3. four processes `torchrun --nnodes=2:4 --rdzv-backend=kubernetes …` train deploy/examples/train_digits.py (DDP over
     gloo, scikit-learn's digits) and meet through that object.
  4. the node with rank 1 dies by SIGKILL; the others are told and go on as three; a replacement comes.
  5. the node with rank 0 dies, which serves the bootstrap store; its Member is deleted; a replacement comes.
  6. they finish.
  7. the same with `kube-rendezvous run --keep-survivors` and deploy/examples/train_digits_surviving.py: rank 0 is
     killed in the same way, the survivors keep their processes and train on; a replacement comes, and they finish.
  8. the round history, what was measured, and the two ways side by side are printed.

exit status: 0 if all that had to hold did; 1 if not, and the logs are kept; 130 after Ctrl-C.

Look at it from another terminal: the first lines say which KUBECONFIG to use.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; returns the exit status."""
    options = _parser().parse_args(arguments)
    display = Display(plain=options.plain)
    try:
        return _run(display, keep_logs=options.keep_logs)
    except (DemoError, LocalControlPlaneError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; everything was ended and removed\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rendezvous_demo",
        description="Real torchrun nodes rendezvous through a Kubernetes object, lose some of them, and go on. Takes"
        " about three minutes, and some more the first time.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plain", action="store_true", help="plain lines even on a terminal")
    parser.add_argument("--keep-logs", action="store_true", help="keep the logs also when all went well")
    return parser


def _run(display: Display, *, keep_logs: bool) -> int:
    began = time.monotonic()
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        run = stack.enter_context(_kept_logs(folder, always=keep_logs))
        for line in first_words(os.environ):
            display.say(line)
        display.headline("A control plane with the custom resources, and the operator", 10)
        where = stack.enter_context(cluster())
        display.say(f"export KUBECONFIG={where.kubeconfig}")
        kubectl = Kubectl(where.kubectl, where.kubeconfig, folder / "kubectl-cache", display.say)
        namespace = stack.enter_context(_namespace(where, kubectl))
        operator = OperatorProcess(
            where.kubeconfig, log=folder / "operator.log", arguments=[f"--namespace={namespace}", "--log-level=info"]
        )
        stack.enter_context(operator)
        connection = Connection.open(str(where.kubeconfig))

        def stage(launcher: Launcher, name: str, script: Path, epochs: int) -> Stage:
            settings = NodeSettings(launcher, where.kubeconfig, namespace, name, NODES, script, epochs, folder)
            observation = stack.enter_context(Observation(connection, namespace, name))
            made = Stage(observation, kubectl, settings, display)
            stack.callback(made.end)
            return made

        restarting = Scenario(stage(TORCHRUN, scenario.NAME, scenario.SCRIPT, scenario.EPOCHS), kubectl, display)
        surviving = SurvivingScenario(
            stage(KEEPS_SURVIVORS, surviving_scenario.NAME, surviving_scenario.SCRIPT, surviving_scenario.EPOCHS),
            display,
        )
        with display:
            outcome, kept = restarting.run(), surviving.run()
        checks = [*outcome.checks, *kept.checks, check_share(kept.recovery, outcome.recovery)]
        print_history(display.console, outcome.history)
        print_times(display.console, outcome.losses, outcome.growths)
        print_recoveries(display.console, outcome.recovery, kept.recovery)
        print_checks(display.console, checks)
        holds = all(check.holds for check in checks)
        run.failed = not holds
    display.say(f"{'All of it held' if holds else 'Not all of it held'}; {time.monotonic() - began:.0f} s")
    return 0 if holds else 1


@contextmanager
def _folder() -> Iterator[Path]:
    owned = OwnedFolder()
    try:
        yield owned.path
    finally:
        owned.remove()


class _Run:
    """Whether it failed, which it did until it is known that it did not."""

    failed = True


@contextmanager
def _kept_logs(folder: Path, *, always: bool) -> Iterator[_Run]:
    """After a failure show the ends of the logs and keep the whole; after Ctrl-C only if that was asked for."""
    run = _Run()
    try:
        yield run
    except KeyboardInterrupt:
        run.failed = False
        raise
    finally:
        files = sorted(folder.glob("*.log"))
        if run.failed:
            _show_ends(files)
        if files and (run.failed or always):
            kept = Path(tempfile.mkdtemp(prefix="rendezvous-demo-logs-"))
            for file in [*files, *folder.glob("*.json*")]:
                shutil.copy(file, kept)
            sys.stderr.write(f"the logs are kept in {kept}\n")


def _show_ends(files: list[Path]) -> None:
    for file in files:
        lines = file.read_text(errors="replace").splitlines()[-LOG_LINES:]
        sys.stderr.write(f"--- {file.name}\n" + "".join(f"{line}\n" for line in lines))


@contextmanager
def _namespace(where: Cluster, kubectl: Kubectl) -> Iterator[str]:
    name = f"kube-rendezvous-demo-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        if where.control_plane is None:  # a local control plane goes away with all that is in it
            kubectl("delete", "namespace", name, "--wait=false")


if __name__ == "__main__":
    run_supervised(main)
