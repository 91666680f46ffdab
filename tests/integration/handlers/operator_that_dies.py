"""The operator, that dies right after a write that the API server has carried out, before it can know of it.

The file that `DEATHS` names says after how many writes: a number a line, one for each of its next lives.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from kube_rendezvous.cluster import Connection
from kube_rendezvous_operator.__main__ import main

_ours = ("rendezvous", "rendezvousmembers", "rendezvousslices")


def _left() -> int:
    deaths = Path(os.environ["DEATHS"])
    first, *others = deaths.read_text().split() or ["0"]
    deaths.write_text("\n".join(others))
    return int(first)


_writes_left = _left()
_request = Connection.request


def _dying(self: Connection, method: str, path: str, **options: Any) -> Any:
    global _writes_left
    answer = _request(self, method, path, **options)
    if method != "GET" and any(f"/{plural}" in path for plural in _ours):
        _writes_left -= 1
        if _writes_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return answer


Connection.request = _dying  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
