"""How another commit's client and operator are run from a folder that `commit_files.check_out` made."""

import os
import re
from pathlib import Path

from kube_rendezvous.resources import LARGEST_WORLD

_REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("client", "operator", "crds")
"""What of a commit is measured."""


def lift_limits(crds: Path) -> None:
    """Let the definitions of a commit that allows 1,000 members allow as many as ours: its operator can do it."""
    for file in crds.glob("*.yaml"):
        lifted = re.sub(r"(maximum|maxItems): 1000\n", rf"\1: {LARGEST_WORLD}\n", file.read_text())
        file.write_text(lifted)


def operator_path(commit: Path | None) -> dict[str, str]:
    """Environment with which Python finds the operator in a folder of `commit_files.check_out`; None: our own."""
    return {} if commit is None else _first_in_path(commit / "client", commit / "operator")


def client_path(commit: Path | None) -> dict[str, str]:
    """As `operator_path`, for its client alone; the players themselves are ours."""
    return _first_in_path(*([] if commit is None else [commit / "client"]))


def _first_in_path(*folders: Path) -> dict[str, str]:
    before = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join([*map(str, folders), *filter(None, [before]), str(_REPOSITORY / "tests")])}
