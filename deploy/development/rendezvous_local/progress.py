"""Says on stderr how long a slow step has been going on."""

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

PLAIN_LINE_SECONDS = 30.0


class Progress:
    """A step of unknown length.

    On a terminal it is a live line, otherwise a plain line at its start, every 30 s and at its end.

    Args:
        what: The step, as in "building etcd v3.7.3".
        note: What to expect, shown while it lasts.
        out: Where to write; stderr when ``None``.
    """

    def __init__(self, what: str, note: str = "", *, out: TextIO | None = None) -> None:
        self._what = what
        self._note = f" ({note})" if note else ""
        self._out = out if out is not None else sys.stderr
        self._live = self._out.isatty()
        self._started = time.monotonic()
        self._last_line = self._started

    def __enter__(self) -> Self:
        if not self._live:
            self._write(f"{self._what}{self._note}\n")
        self.tick()
        return self

    def tick(self) -> None:
        """Call about once a second while the step lasts."""
        now = time.monotonic()
        if self._live:
            line = f"{self._what} … {now - self._started:.0f} s{self._note}"
            self._write(
                f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}"
            )  # a wrapped line cannot be redrawn
        elif now - self._last_line >= PLAIN_LINE_SECONDS:
            self._last_line = now
            self._write(f"{self._what}: {now - self._started:.0f} s so far\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end = "done" if kind is None else "interrupted" if issubclass(kind, KeyboardInterrupt) else "failed"
        start = "\r\x1b[2K" if self._live else ""
        self._write(f"{start}{self._what}: {end} after {time.monotonic() - self._started:.0f} s\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
