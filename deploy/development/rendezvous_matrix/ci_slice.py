"""`make matrix-slice`: a slice of the matrix that is cheap enough for each run of CI.

The oldest Kubernetes alone, where most differs from the newest, with the tests that ask most of an API server: the
definitions with their rules, both API versions, a loss. Writes no results: `make matrix` does.
"""

import os
import sys

from rendezvous_local.binaries import find
from rendezvous_local.programs import kube_apiserver_of
from rendezvous_matrix.cells import KUBERNETES, TOP, Cell, kubernetes_minors
from rendezvous_matrix.outcomes import Colour
from rendezvous_matrix.running import run

TESTS = (
    "tests/integration/test_crds.py",
    "tests/integration/test_versions.py",
    "tests/integration/test_scripted_exchanges.py",
    "tests/integration/handlers/test_losses.py",
)


def main() -> int:
    """Returns the exit status: 1 if a test failed, 0 also where that API server was never built: that takes minutes."""
    cell = Cell(KUBERNETES, kubernetes_minors()[0])
    without_assets = {name: value for name, value in os.environ.items() if name != "KUBEBUILDER_ASSETS"}
    if find(kube_apiserver_of(cell.value), without_assets) is None:
        sys.stderr.write(f"{cell.name} is left out: not in the cache; `make matrix CELLS={cell.name}` builds it\n")
        return 0
    log = TOP / "build" / "matrix" / "slice.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    outcome = run(cell, log, TESTS)
    detail = (
        outcome.why
        or f"{outcome.tests} passed, {outcome.skipped} skipped, failed: {', '.join(outcome.failed) or 'none'}"
    )
    sys.stderr.write(f"{cell.name}: {outcome.colour}: {detail} ({log})\n")
    return 0 if outcome.colour is Colour.GREEN else 1


if __name__ == "__main__":
    sys.exit(main())
