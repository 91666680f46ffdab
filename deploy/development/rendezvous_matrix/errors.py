"""What the matrix says instead of a traceback."""


class MatrixError(Exception):
    """Something that the matrix needs is not there; the text says what, and what to do."""
