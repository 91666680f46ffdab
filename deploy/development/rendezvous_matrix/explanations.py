"""Why a cell of the matrix is not green, in words. A unit test asks for one of each such cell, and for no other."""

from rendezvous_matrix.cells import Cell

WHY: dict[Cell, str] = {}
