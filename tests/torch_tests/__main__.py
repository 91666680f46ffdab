"""`make torch-tests`: PyTorch's own tests of agents, launcher and rendezvous, run on the backend `kubernetes`.

    python -m torch_tests [--source CHECKOUT] [--python PYTHON] [--only FILE] [--json FILE]

The files are those of a checkout of PyTorch, not changed. What they ask of c10d, etcd or the static rendezvous is asked
of this backend, on a real API server with a running operator; and agents fork their workers, which saves minutes of
imports and is nothing to a rendezvous. Exit status 1 if a test failed.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rendezvous_local.cluster import Cluster, cluster
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.operator_process import OperatorProcess
from rendezvous_local.supervised import run_supervised
from torch_tests.plugin_names import (
    FILES_RELEASE,
    NAMESPACE,
    NOT_APPLICABLE,
    REPETITION,
    REPORT,
    START_METHOD,
)
from torch_tests.sources import NoSourceError, TestFiles, obtain, write_entry_point

TESTS = Path(__file__).parents[1]
CACHE = Path.home() / ".cache" / "kube-rendezvous" / "torch-tests"
FILE_SECONDS, TEST_SECONDS = 3600.0, 400
MISUSE, INTERRUPTED = 2, 130

Line = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Run them, tell, judge."""
    parser = argparse.ArgumentParser(prog="torch_tests", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--source", help="a checkout of PyTorch (default: clone the release, or take Debian's source)")
    parser.add_argument("--python", default=sys.executable, help="which has torch, pytest and this package")
    parser.add_argument("--only", default="", help="run only files that have this in their path")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write how each test ended there, too")
    parser.add_argument("--spawn", action="store_true", help="agents spawn workers, as the tests say")
    options = parser.parse_args(arguments)
    version = _version(options.python)
    with tempfile.TemporaryDirectory(prefix="torch-tests-") as scratch:
        folder = Path(scratch)
        (folder / "source").mkdir()
        try:
            found = obtain(options.source or None, version, CACHE, folder / "source")
            sys.stderr.write(f"torch {version}; tests: {found.origin}\n")
            lines = _run_all(found, options, folder)
        except (NoSourceError, LocalControlPlaneError) as error:
            sys.stderr.write(f"torch_tests: {error}\n")
            return MISUSE
        except KeyboardInterrupt:  # everything has been taken down on the way here
            return INTERRUPTED
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"torch": version, "tests": found.origin, "ended": lines}, indent=1) + "\n")
    sys.stdout.write(summary(lines))
    return 1 if not lines or any(line["outcome"] == "failed" for line in lines) else 0


def summary(lines: list[Line]) -> str:
    """What ran, what failed, and what does not apply and why."""
    text = []
    for file in dict.fromkeys(line["file"] for line in lines):
        count = Counter(_kind(line) for line in lines if line["file"] == file)
        text.append(f"{file:55} " + ", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))
    count = Counter(map(_kind, lines))
    text.append("in all: " + ", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))
    for line in lines:
        kind = _kind(line)
        if kind not in ("passed", REPETITION):
            why = line["why"].strip().splitlines()[-1:] or [""]
            text.append(f"{kind}: {line['file']} {line['test']}: {why[0].removeprefix(f'{kind}: ')}")
    return "\n".join(text) + "\n"


def _kind(line: Line) -> str:
    if line["outcome"] != "skipped":
        return str(line["outcome"])
    begin = str(line["why"]).partition(":")[0]
    return begin if begin in (NOT_APPLICABLE, REPETITION) else "skipped by torch"


def _version(python: str) -> str:
    command = [python, "-c", "import importlib.metadata as m; print(m.version('torch'))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _run_all(found: TestFiles, options: argparse.Namespace, folder: Path) -> list[Line]:
    write_entry_point(folder / "entry")
    report = folder / "report"
    report.touch()
    with cluster() as where, OperatorProcess(where.kubeconfig, log=folder / "operator.log"):
        namespace = _namespace(where)
        environment = {
            **os.environ,
            "KUBECONFIG": str(where.kubeconfig),
            "PYTHONPATH": os.pathsep.join([str(folder / "entry"), str(TESTS)]),
            "OMP_NUM_THREADS": "1",
            NAMESPACE: namespace,
            REPORT: str(report),
            FILES_RELEASE: found.release,
            START_METHOD: "" if options.spawn else "fork",
        }
        for file in found.files():
            if options.only in str(file):
                _run_file(file, str(file.relative_to(found.folder)), options.python, environment, report)
    return _lines(report)


def _namespace(where: Cluster) -> str:
    manifest = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "torch-tests-"}}'
    kubectl = [str(where.kubectl), f"--kubeconfig={where.kubeconfig}"]
    command = [*kubectl, "create", "-f", "-", "-o", "jsonpath={.metadata.name}"]
    done = subprocess.run(command, input=manifest, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalControlPlaneError(f"no namespace for the tests: {done.stderr.strip()}")
    return done.stdout


def _run_file(file: Path, name: str, python: str, environment: Mapping[str, str], report: Path) -> None:
    """One process for each file, in its folder, as torch's own runner does it."""
    pytest = [python, "-m", "pytest", "-q", "-p", "torch_tests.plugin", "-p", "no:cacheprovider", "--tb=short"]
    command = [*pytest, "--import-mode=prepend", f"--timeout={TEST_SECONDS}", "-o", "timeout_func_only=true", file.name]
    sys.stderr.write(f"{name} …\n")
    with (file.parent / f"{file.stem}.log").open("w+") as log:
        process = subprocess.Popen(
            command, cwd=file.parent, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            status = process.wait(FILE_SECONDS)
            ended, why = status in (0, 1), f"pytest ended with status {status}"
        except subprocess.TimeoutExpired:
            ended, why = False, f"not done after {FILE_SECONDS:.0f} s"
        finally:  # with the agents and workers of a test that did not end
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.seek(0)
        tail = log.read()[-6000:]
    if not ended:
        line = {"file": name, "test": "(the file)", "outcome": "failed", "why": f"{tail}\n{why}", "seconds": 0.0}
        with report.open("a") as lines:
            lines.write(json.dumps(line) + "\n")
    if not ended or any(one["outcome"] == "failed" and one["file"] == name for one in _lines(report)):
        sys.stderr.write(tail + "\n")


def _lines(report: Path) -> list[Line]:
    return [json.loads(line) for line in report.read_text().splitlines()]


if __name__ == "__main__":
    run_supervised(main)
