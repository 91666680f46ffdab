"""What a person sees while it runs: a live table on a terminal, otherwise a line for each change."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from rendezvous_demo.snapshot import Row, Snapshot

PLAIN_WIDTH = 160
EPOCHS_A_LINE = 5
_COLOURS = {"training": "green", "finished": "green", "killed": "red", "told to join again": "yellow"}


class Display:
    """Shows the story and the nodes, for use in a `with` statement.

    Args:
        plain: No live table even on a terminal.
    """

    def __init__(self, *, plain: bool = False) -> None:
        live = sys.stdout.isatty() and not plain
        self.console = Console(highlight=False) if live else Console(highlight=False, width=PLAIN_WIDTH, no_color=True)
        self._live = Live(console=self.console, refresh_per_second=8, transient=True) if live else None
        self._started = time.monotonic()
        self._shown: Snapshot | None = None
        self._step = StepBar()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def headline(self, text: str, seconds: float = 0.0) -> None:
        """A new part of the story.

        Args:
            text: What happens in it.
            seconds: How long it lasts, about; 0: a moment.
        """
        self._step.begin(text, seconds)
        about = f" [dim](about {seconds:.0f} s)[/dim]" if seconds else ""
        self._line(f"[bold]{escape(text)}[/bold]{about}")

    def say(self, text: str) -> None:
        """A line of it."""
        self._line(escape(text))

    def show(self, snapshot: Snapshot) -> None:
        """The nodes as they are now; call it often."""
        self._step.go_on()
        if snapshot == self._shown:
            return
        before, self._shown = self._shown, snapshot
        if self._live is not None:
            self._live.update(Group(_table(snapshot), self._step.bar))
        else:
            for line in changes(before, snapshot):
                self._line(escape(line))

    def _line(self, markup: str) -> None:
        seconds = time.monotonic() - self._started
        self.console.print(f"[dim]{seconds:6.1f} s[/dim]  {markup}", soft_wrap=True)


class StepBar:
    """How far a step has come, by the clock: full when it has taken as long as it usually does.

    Args:
        clock: Tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = 0.0
        self._seconds = 0.0
        self.bar = Progress(BarColumn(40), TextColumn("{task.fields[clock]}"), auto_refresh=False)
        """To be drawn; never started, since it is a part of another live display."""
        self._task = self.bar.add_task("", total=None, visible=False, clock="")

    def begin(self, text: str, seconds: float) -> None:
        """Another step; of unknown length, without a bar, where ``seconds`` is 0."""
        self._began, self._seconds = self._clock(), seconds
        self.bar.update(self._task, description=text, total=seconds or None, visible=seconds > 0)
        self.go_on()

    def go_on(self) -> None:
        """Some time has gone by."""
        spent = self._clock() - self._began
        self.bar.update(
            self._task, completed=min(spent, self._seconds), clock=f"{spent:.0f} s of about {self._seconds:.0f} s"
        )


def changes(before: Snapshot | None, now: Snapshot) -> list[str]:
    """A line for each thing that a reader of a log wants to know, and none for a step."""
    lines = []
    if before is None or before.verdict != now.verdict:
        lines.append(f"Rendezvous: {now.verdict}")
    if now.store and (before is None or before.store != now.store):
        lines.append(f"Rendezvous: {now.store}")
    earlier = {row.node: row for row in before.rows} if before else {}
    for row in now.rows:
        was = earlier.get(row.node)
        if was is None or (was.state, was.rank, was.round) != (row.state, row.rank, row.round):
            lines.append(f"{row.node}: {_describe(row)}")
        elif row.rank == 0 and row.epoch is not None and was.epoch != row.epoch and row.epoch % EPOCHS_A_LINE == 0:
            lines.append(f"epoch {row.epoch}, loss {row.loss:.4f}, {row.world_size} nodes")
    return lines


def _describe(row: Row) -> str:
    if row.rank is None:
        return row.state + (f" as {row.member}" if row.member and row.state.startswith("waiting") else "")
    epoch = f", from epoch {row.epoch}" if row.epoch is not None else ""
    return f"{row.state}, rank {row.rank} of {row.world_size} in round {row.round}{epoch}"


def _table(snapshot: Snapshot) -> Group:
    table = Table()
    for name in ("node", "member"):
        table.add_column(name, no_wrap=True)
    for name in ("round", "rank", "world size", "epoch", "loss"):
        table.add_column(name, justify="right")
    table.add_column("state", min_width=22)
    for row in snapshot.rows:
        table.add_row(
            row.node,
            row.member or "",
            *(_cell(value) for value in (row.round, row.rank, row.world_size, row.epoch)),
            "" if row.loss is None else f"{row.loss:.4f}",
            Text(row.state, style=_COLOURS.get(row.state, "red" if row.state.startswith("failed") else "")),
        )
    state = (f"Rendezvous {snapshot.state}".rstrip(), "bold")
    return Group(table, Text.assemble(state, f"  {snapshot.verdict}"), Text(snapshot.store or " "))


def _cell(value: int | None) -> str:
    return "" if value is None else str(value)
