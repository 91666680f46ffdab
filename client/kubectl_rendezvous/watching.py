"""`watch`: a live table on a terminal, one line a change elsewhere."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from kube_rendezvous.printable_text import printable
from kubectl_rendezvous.changes import changed_lines, first_lines
from kubectl_rendezvous.following import Following
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.printing import Printer
from kubectl_rendezvous.reading import Reader
from kubectl_rendezvous.tables import rank_table, state_of, verdict
from kubectl_rendezvous.wording import as_sentence, count

if TYPE_CHECKING:
    from rich.console import RenderableType

_REDRAW_SECONDS = 1.0  # heartbeats age by themselves
_QUIET_SECONDS = 3600.0
_CHANGES_SHOWN = 8


def watch(reader: Reader, name: str, printer: Printer) -> None:
    """Show one Rendezvous until Ctrl-C, or until it is deleted.

    Raises:
        CommandError: it cannot be read.
    """
    first = reader.observe(name)
    try:
        with Following(reader, first) as following:
            (_show if printer.on_terminal else _tell)(following, first, printer)
    except KeyboardInterrupt:
        return


def _tell(following: Following, first: Observation, printer: Printer) -> None:
    """One line a change."""
    for text in first_lines(first):
        printer.line(_stamped(first.now, text))
    before, trouble = first, ""
    while (now := following.wait(_QUIET_SECONDS)) is not None:
        if following.trouble != trouble:
            trouble = following.trouble
            said = f"The API server does not answer ({trouble})" if trouble else "The API server answers again"
            printer.line(_stamped(now.now, as_sentence(said)))
        for text in changed_lines(before, now):
            printer.line(_stamped(now.now, text))
        before = now
    printer.line(_stamped(before.now, f"{first.name} was deleted."))


def _show(following: Following, first: Observation, printer: Printer) -> None:
    """A table that stays in its place, with the newest changes below it."""
    from rich.live import Live

    changes: deque[str] = deque(maxlen=_CHANGES_SHOWN)
    before = first
    with Live(_picture(first, changes, ""), console=printer.console, auto_refresh=False) as live:
        while (now := following.wait(_REDRAW_SECONDS)) is not None:
            changes.extend(_stamped(now.now, text) for text in changed_lines(before, now))
            before = now
            live.update(_picture(now, changes, following.trouble), refresh=True)
    printer.line(f"{first.name} was deleted.")


def _picture(seen: Observation, changes: Iterable[str], trouble: str) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    status = seen.rendezvous.status
    parts: list[RenderableType] = [
        Text(printable(f"{seen.rendezvous.namespace}/{seen.name}: {state_of(seen.seen)}"), style="bold"),
        Text(printable(verdict(seen.seen))),
    ]
    if trouble:
        parts.append(Text(printable(f"Not up to date: {trouble}"), style="bold red"))
    plain = rank_table(seen)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in plain.titles:
        table.add_column(title, justify="right" if title == "RANK" else "left", overflow="fold")
    for row in plain.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    if plain.rows:
        parts.append(table)
    if seen.spares:
        place = "on standby" if status.round else "waiting for the first round"
        parts.append(Text(f"{count(len(seen.spares), 'member')} {place}", style="cyan"))
    parts += [Text(printable(f"{p.name} has not joined: {p.why}"), style="yellow") for p in seen.pods_to_join[:10]]
    parts += [Text(printable(text), style="dim") for text in changes]
    return Group(*parts)


def _stamped(now: datetime, text: str) -> str:
    return f"{now:%H:%M:%S}  {text}"
