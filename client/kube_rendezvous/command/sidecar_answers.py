"""What `wait` and `env` make of a sidecar's answer."""

import argparse
from typing import TYPE_CHECKING

from kube_rendezvous.exit_statuses import CLOSED, NOT_YET

if TYPE_CHECKING:
    from kube_rendezvous.sidecar.asking import Ask
    from kube_rendezvous.sidecar.publication import Publication


def asking(options: argparse.Namespace) -> "Ask":
    """How the sidecar is asked: by its files if `--dir` is said, else over HTTP."""
    from kube_rendezvous.sidecar.asking import ask_files, ask_http

    if options.dir is not None:
        return lambda: ask_files(options.dir)
    return lambda: ask_http(options.listen)


def why_none(said: "Publication | None") -> tuple[int, str]:
    """Exit status and sentence for an answer in which no round stands."""
    from kube_rendezvous.sidecar.publication import FINAL

    if said is None:
        return NOT_YET, "the sidecar has written nothing yet"
    text = f"Rendezvous {said.namespace}/{said.name}: "
    if said.state in FINAL:
        return CLOSED, text + said.message
    if said.stands_after(0):
        return NOT_YET, text + f"round {said.round} stands, and no newer one"
    return NOT_YET, text + f"no round stands ({said.reason}): {said.message}"
