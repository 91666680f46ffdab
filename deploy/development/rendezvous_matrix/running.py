"""Runs the core's tests in one cell."""

import os
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rendezvous_local.binaries import find_or_build
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.programs import KUBE_APISERVER, kube_apiserver_of
from rendezvous_matrix.cells import GATES, KUBERNETES, LIBRARIES, PYTHON, TOP, Cell
from rendezvous_matrix.environments import interpreter_of
from rendezvous_matrix.errors import MatrixError
from rendezvous_matrix.outcomes import Colour, Outcome

CORE = ("-m", "core", "-n", "2", "--dist", "loadfile")
EVERYTHING = ("tests/integration",)
CELL_SECONDS = 1800


@dataclass(frozen=True)
class Ground:
    """What a cell's tests run on; the same for all cells that are what everything is developed with."""

    api_server: Path
    python: Path
    gates: str = ""


def run(
    cell: Cell, log: Path, tests: Sequence[str] = EVERYTHING, known: MutableMapping[Ground, Outcome] | None = None
) -> Outcome:
    """Run the core, as far as it is in ``tests``, in ``cell``; what the tests say goes to ``log``.

    Args:
        known: What came of the same tests on each ground before: they run once on each.
    """
    try:
        program = kube_apiserver_of(cell.value) if cell.axis == KUBERNETES else KUBE_APISERVER
        gates = cell.value if cell.axis == GATES else ""
        ground = Ground(find_or_build(program), interpreter_of(cell), gates)
        server = program.version.removeprefix("v")
        version = server if cell.axis in (KUBERNETES, GATES) else _version(cell, ground.python)
    except (MatrixError, LocalControlPlaneError) as error:
        return Outcome(cell.axis, cell.value, "", Colour.GREY, why=str(error).splitlines()[0])
    known = {} if known is None else known
    if ground not in known:
        known[ground] = _run_on(ground, cell, version, log, tests)
    return replace(known[ground], axis=cell.axis, value=cell.value, version=version)


def _run_on(ground: Ground, cell: Cell, version: str, log: Path, tests: Sequence[str]) -> Outcome:
    with tempfile.TemporaryDirectory() as folder, log.open("w") as output:
        report = Path(folder) / "report.xml"
        # The other programs come from the cache, as they are not beside this one.
        environment = {
            **os.environ,
            "KUBEBUILDER_ASSETS": str(ground.api_server.parent),
            "PYTHONPATH": "deploy/development",
        }
        environment.pop("KUBECONFIG", None)
        environment["GATES"] = ground.gates
        subprocess.run(
            [str(ground.python), "-m", "pytest", *CORE, *tests, f"--junitxml={report}", "-p", "no:cacheprovider"],
            cwd=TOP,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=CELL_SECONDS,
            check=False,
        )
        if not report.exists():
            return Outcome(cell.axis, cell.value, version, Colour.RED, failed=("no test could be collected",))
        return read_report(cell, version, report.read_text())


def read_report(cell: Cell, version: str, report: str) -> Outcome:
    """The outcome of a cell from pytest's JUnit report."""
    passed, skipped, failed = 0, 0, []
    for case in ElementTree.fromstring(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    colour = Colour.GREEN if passed and not failed else Colour.RED
    return Outcome(cell.axis, cell.value, version, colour, passed, skipped, tuple(sorted(set(failed))))


def _version(cell: Cell, python: Path) -> str:
    if cell.axis == PYTHON:
        question = "import platform; print(platform.python_version())"
    else:
        question = f"import importlib.metadata as m; print(m.version('{LIBRARIES[cell.axis]}'))"
    return subprocess.run([str(python), "-c", question], capture_output=True, text=True, check=True).stdout.strip()
