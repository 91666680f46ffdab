"""What `run` and `sidecar` have in common: the log and the participation."""

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from kube_rendezvous.api import RendezvousConnectionError, RendezvousParameters
from kube_rendezvous.command.standard_error import fail
from kube_rendezvous.exit_statuses import UNAVAILABLE, USAGE
from kube_rendezvous.printable_text import printable
from kube_rendezvous.settings import ENDPOINT, ENDPOINT_ORIGINS, RUN_ID

if TYPE_CHECKING:
    from kube_rendezvous.participation import Participation


class _OneLine(logging.Formatter):
    """Texts of the cluster are in it: a record stays one line, and steers no terminal. A traceback is our own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        record.message = printable(record.message)
        return super().formatMessage(record)


def log_to_stderr(level: str) -> None:
    """Write the log, one record a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s kube-rendezvous: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("urllib3").setLevel(logging.WARNING)


def take_part(options: argparse.Namespace) -> "Participation":
    """Begin to take part as the options say.

    Raises:
        SystemExit: they cannot be used, or there are no credentials.
    """
    from kube_rendezvous.participation import Participation

    low, high = options.nnodes
    config = {
        "join_timeout": options.join_timeout,
        "close_timeout": options.close_timeout,
        "last_call_timeout": options.last_call_timeout,
        "create": options.create,
        "kubeconfig": options.kubeconfig,
        "context": options.context,
        "slot": options.slot,
    }
    try:
        parameters = RendezvousParameters(
            "kubernetes", options.namespace or "", options.name, low, high, options.address, **config
        )
        return Participation(parameters)
    except ValueError as error:
        raise fail(USAGE, _in_our_words(str(error))) from error
    except RendezvousConnectionError as error:
        raise fail(UNAVAILABLE, _in_our_words(str(error))) from error


def _in_our_words(text: str) -> str:
    """The settings name torchrun's options."""
    for theirs, ours in (
        (RUN_ID, "--name"),
        (ENDPOINT, "--namespace"),
        (ENDPOINT_ORIGINS, ""),
        ("pass --rdzv-conf kubeconfig=PATH,context=NAME", "pass --kubeconfig PATH --context NAME"),
        ("the 'kubeconfig' key of --rdzv-conf", "--kubeconfig"),
    ):
        text = text.replace(theirs, ours)
    return text
