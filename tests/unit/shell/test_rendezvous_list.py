"""The list that is asked for before kopf works comes in pages: what others have made large must fit into memory."""

import asyncio
from typing import Any

from kube_rendezvous_operator.shell.watching.rendezvous_list import RendezvousList

LARGE = 1 << 20


class PagedConnection:
    """Serves a hundred objects of a megabyte, page by page."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    def request(self, method: str, path: str, *, query: dict[str, str], told_size: Any, timeout: float) -> Any:
        begin, limit = int(query.get("continue", 0)), int(query["limit"])
        self.limits.append(limit)
        items = [{"metadata": {"uid": str(number)}} for number in range(begin, min(begin + limit, 100))]
        told_size(LARGE * len(items))
        rest = {"continue": str(begin + limit)} if begin + limit < 100 else {}
        return {"kind": "RendezvousList", "metadata": rest, "items": items}


def test_it_comes_in_pages_that_fit() -> None:
    connection = PagedConnection()
    listing = RendezvousList(connection, [])  # type: ignore[arg-type]
    assert list(asyncio.run(listing.wait(asyncio.Event()))) == [str(number) for number in range(100)]
    assert len(connection.limits) > 3
    assert max(connection.limits) <= 25
