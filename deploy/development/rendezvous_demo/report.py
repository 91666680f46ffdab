"""What a person reads at the end: the round history from the object, the measurements, the verdict."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kube_rendezvous.resources import PastRound
from rendezvous_demo.checks import Check
from rendezvous_demo.measurements import GrowthMeasured, LossMeasured
from rendezvous_demo.recoveries import Recovery, share


def print_history(console: Console, history: Sequence[PastRound]) -> None:
    """The rounds, oldest first.

    Args:
        console: Where to print.
        history: As in the status: newest first.
    """
    table = Table(title="Round history (status.history)", title_justify="left", show_lines=True)
    for name in ("round", "why", "size", "joined", "left", "moved ranks", "forming"):
        table.add_column(name, justify="right" if name in ("round", "size", "moved ranks", "forming") else "left")
    for past in reversed(history):
        why = past.reason + (f": {past.message}" if past.message else "")
        names = ("\n".join(past.joined), "\n".join(past.left))
        table.add_row(
            str(past.round),
            escape(why),
            str(past.world_size),
            *map(escape, names),
            str(past.moved_ranks),
            f"{past.forming_seconds:.2f} s",
        )
    console.print(table)


def print_times(console: Console, losses: Sequence[LossMeasured], growths: Sequence[GrowthMeasured]) -> None:
    """How long each change took."""
    table = Table(title="Seconds", title_justify="left")
    for name in ("what", "object says so", "every survivor told", "next round stood"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for loss in losses:
        what = f"kill of {loss.loss.node}, rank {loss.rank}" + (" (Member deleted)" if loss.loss.deleted else "")
        table.add_row(what, *map(_seconds, (loss.said_after, loss.all_told_after, loss.stood_after)))
    for growth in growths:
        table.add_row(f"join of {escape(growth.member)}", "", "", _seconds(growth.stood_after))
    console.print(table)


def print_recoveries(console: Console, restarting: Recovery, surviving: Recovery) -> None:
    """The two ways side by side."""
    title = "Rank 0 killed, its Member deleted: seconds from the kill, until it was so for every survivor"
    table = Table(title=title, title_justify="left")
    for name in ("way", "told", "next round stood", "next step done", "processes started anew", "steps undone"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for recovery in (restarting, surviving):
        times = map(_seconds, (recovery.told_after, recovery.stood_after, recovery.stepped_after))
        undone = "" if recovery.steps_undone is None else str(recovery.steps_undone)
        table.add_row(recovery.way, *times, f"{recovery.restarted} of {len(recovery.pids_after)}", undone)
    measured = share(surviving, restarting)
    if measured is not None:
        table.add_section()
        table.add_row("divided by", "", "", f"{1 / measured:.0f}", "", "")
    console.print(table)
    for recovery in (restarting, surviving):
        before, after = (", ".join(map(str, pids)) for pids in (recovery.pids_before, recovery.pids_after))
        console.print(f"survivors' PIDs, {recovery.way}: {before} before, {after} after, by rank")


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """What had to hold."""
    table = Table(title="Verdict", title_justify="left")
    for name in ("", "what", "measured", "must be"):
        table.add_column(name)
    for check in checks:
        mark = "[green]ok[/green]" if check.holds else "[red bold]FAILED[/red bold]"
        table.add_row(mark, escape(check.what), escape(check.measured), escape(check.limit))
    console.print(table)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f}"
