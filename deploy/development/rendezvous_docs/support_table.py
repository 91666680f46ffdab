"""`docs/reference/support.md`: what was tested with which versions, from what `make matrix` wrote."""

from collections.abc import Iterable, Iterator

from rendezvous_matrix.cells import Cell
from rendezvous_matrix.explanations import WHY
from rendezvous_matrix.outcomes import Colour, Outcome, Results

_HEAD = """\
# Tested versions

<!-- Generated from docs/matrix.json, which `make matrix` writes, by `make generate`. -->

Each line is a run of the integration core (`pytest -m core`: what the API server takes, losses, torchrun through losses
and arrivals, `kube-rendezvous run`, `kubectl rendezvous`) with one thing other than what is developed with. The
servers are built from Kubernetes' own Go modules. [What is supported](../versions.md) follows from it.

"""


def support_table(results: Results, wanted: Iterable[Cell]) -> str:
    """The page.

    Args:
        results: what was run.
        wanted: all cells, in the order of the table.
    """
    known = {outcome.cell: outcome for outcome in results.outcomes}
    rows = "".join(_row(cell, known.get(cell)) for cell in wanted)
    return (
        f"{_HEAD}| | version | ran with | outcome | tests passed | at commit | on | |\n"
        f"|---|---|---|---|---|---|---|---|\n{rows}"
    )


def _row(cell: Cell, outcome: Outcome | None) -> str:
    if outcome is None:
        outcome = Outcome(cell.axis, cell.value, "", Colour.GREY)
    passed = str(outcome.tests) if outcome.version else ""
    ran = [outcome.version, outcome.colour.value, passed, outcome.commit, outcome.date]
    cells = [cell.axis, cell.value, *ran, "; ".join(_words(outcome))]
    return f"| {' | '.join(cells)} |\n"


def _words(outcome: Outcome) -> Iterator[str]:
    if outcome.cell in WHY:
        yield WHY[outcome.cell]
    elif outcome.colour is not Colour.GREEN:
        yield "not run yet"
    if outcome.failed:
        yield f"{len(outcome.failed)} failed"
