"""Why a cell of the matrix is not green, in words. A unit test asks for one of each such cell, and for no other."""

from rendezvous_matrix.cells import PYTHON, Cell

WHY = {
    Cell(PYTHON, "3.14"): (
        "no interpreter of it was to be had where the table was made; the weekly workflow runs the tests on it"
    ),
}
