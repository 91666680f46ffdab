"""How many objects to ask for at once: what somebody has made large must fit into memory, what is small must not take
hundreds of requests."""

from dataclasses import dataclass

FIRST_PAGE = 25
"""Objects. One may have more than a megabyte."""

_BYTES_OF_A_PAGE = 8 << 20
_LARGEST_PAGE = 2000
_GROWTH = 8


@dataclass(slots=True)
class Paging:
    """Tells the `limit` of the next request of one list, from how large the answers were."""

    limit: int = FIRST_PAGE

    def answered(self, items: int, size: int) -> None:
        """A page came.

        Args:
            items: how many objects it had.
            size: of the answer, bytes; 0 if not known.
        """
        if items == 0:
            return
        fit = _BYTES_OF_A_PAGE * items // size if size else _LARGEST_PAGE
        self.limit = max(1, min(fit, self.limit * _GROWTH, _LARGEST_PAGE))
