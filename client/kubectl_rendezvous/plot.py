"""`history --plot`: world size over time, with the time that each round took to form."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from kube_rendezvous.resources import PastRound
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.timeline import oldest_first

_NO_ROUNDS = "There is no round yet, and so nothing to plot"


def plot_history(title: str, history: Sequence[PastRound], now: datetime, file: Path) -> None:
    """Draw the rounds into a file; its name's end (.png, .svg) says how.

    Raises:
        CommandError: no round, no matplotlib, or the file cannot be written.
    """
    if not history:
        raise CommandError(_NO_ROUNDS)
    try:
        from matplotlib import dates, ticker
        from matplotlib.figure import Figure
    except ImportError as error:
        raise CommandError(
            f"--plot needs matplotlib ({error}): install the extra, `pip install 'kube-rendezvous[plot]'`"
        ) from error
    rounds = oldest_first(history)
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    for past in rounds:
        began = past.formed_at - timedelta(seconds=past.forming_seconds)
        axes.axvspan(_number(began), _number(past.formed_at), color="tab:red", alpha=0.25, linewidth=0)
        axes.annotate(
            f"{past.round}: {past.reason}",
            (_number(past.formed_at), past.world_size),
            xytext=(3, 4),
            textcoords="offset points",
            rotation=30,
            fontsize=8,
        )
    moments = [past.formed_at for past in rounds]
    sizes = [past.world_size for past in rounds]
    axes.step([_number(m) for m in (*moments, max(now, moments[-1]))], [*sizes, sizes[-1]], where="post")
    axes.xaxis_date()
    locator = dates.AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    axes.set_ylim(0, max(sizes) * 1.4 + 0.5)
    axes.yaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.set(title=f"{title}: world size by round (red: forming)", xlabel="time (UTC)", ylabel="nodes")
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise CommandError(f"{file} cannot be written: {error}") from error


def _number(moment: datetime) -> float:
    """Days since 1970, which is what matplotlib counts in."""
    return moment.timestamp() / 86400
