"""`python -m kube_rendezvous_operator`: run the operator."""

import argparse
import gc
import logging
import sys
import threading
from types import TracebackType

import kopf

from kube_rendezvous.printable_text import printable


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run until told to stop.

    Returns:
        The exit status: 0 when told to stop, 2 if it cannot start, 3 if it led and has lost its lease, 4 if the
        API server's storage was restored from a backup.
    """
    options = build_parser().parse_args(arguments)
    _configure_logs(getattr(logging, options.log_level.upper()), json=options.log_format == "json")
    from kube_rendezvous.cluster import Connection
    from kube_rendezvous.cluster.credentials import CredentialsError
    from kube_rendezvous_core.slicing import SliceSizes
    from kube_rendezvous_operator.shell.monitoring.probes import ListenError
    from kube_rendezvous_operator.shell.service import Options, Service

    try:
        service = Service(
            Connection.open(),
            Options(
                namespaces=tuple(options.namespace),
                workers=options.workers,
                watches_nodes=not options.no_nodes,
                hears_evictions=options.evictions,
                http=options.http,
                leader_elect=options.leader_elect,
                lease_name=options.lease_name,
                lease_namespace=options.lease_namespace,
                lease_seconds=options.lease_seconds,
                slice_sizes=SliceSizes(
                    above=options.slices_above, names=options.slice_names, keyed=options.rank_keys_up_to
                ),
            ),
        )
    except (CredentialsError, ListenError) as error:
        logging.getLogger("kube_rendezvous_operator").error("Cannot start: %s", error)
        return 2
    _keep_memory_flat()
    return service.run()


def build_parser() -> argparse.ArgumentParser:
    """The parser of the operator's command line."""
    parser = argparse.ArgumentParser(
        prog="kube-rendezvous-operator",
        description="Forms rounds for Rendezvous objects: watches them and their members, and writes status.",
        epilog="Credentials: KUBECONFIG, else the pod's service account, else ~/.kube/config. Stop with SIGTERM or "
        "Ctrl-C: it ends within two seconds and gives its lease back; nothing is lost, the next operator goes on from "
        "what the objects say. Exit status 3: it led, and another replica does now. 4: the API server's storage was "
        "restored from a backup; start it again.",
    )
    parser.add_argument(
        "-n",
        "--namespace",
        action="append",
        default=[],
        metavar="NS",
        help="watch this namespace only; may be given several times (default: the whole cluster)",
    )
    parser.add_argument(
        "--no-nodes",
        action="store_true",
        help="do not watch Nodes, where the right is withheld: ranks do not follow the topology, and drained nodes are "
        "noticed by their pods only",
    )
    parser.add_argument(
        "--evictions",
        action="store_true",
        help="hand over members whose eviction an EvictionRequest asks for (lifecycle.k8s.io/v1alpha1, Kubernetes 1.37 "
        "with the gate EvictionRequestAPI), and answer as the responder rendezvous.dev/operator",
    )
    parser.add_argument(
        "--workers",
        type=_whole(1, 64),
        default=4,
        metavar="N",
        help="how many rendezvous to reconcile at once (default: 4)",
    )
    parser.add_argument(
        "--slices-above",
        type=_whole(1, 1000),
        default=500,
        metavar="N",
        help="members of a round of more are named in RendezvousSlices, not in the status (default: 500)",
    )
    parser.add_argument(
        "--slice-names",
        type=_whole(1, 500),
        default=100,
        metavar="N",
        help="about so many of them in one slice (default: 100)",
    )
    parser.add_argument(
        "--rank-keys-up-to",
        type=_whole(0, 1000),
        default=1000,
        metavar="N",
        help="in a round of so many the status tells each its rank all the same, in eight bytes a member, and nobody "
        "reads a slice for it (default: 1000)",
    )
    parser.add_argument(
        "--http",
        metavar="HOST:PORT",
        help="serve /livez, /readyz, /startupz and /metrics here, for example 0.0.0.0:8080 (default: nowhere)",
    )
    election = parser.add_argument_group(
        "two replicas", "With --leader-elect one replica works; the others stand by, and are ready."
    )
    election.add_argument("--leader-elect", action="store_true", help="write only while holding a Lease")
    election.add_argument(
        "--lease-name", default="kube-rendezvous-operator", metavar="NAME", help="of the Lease (default: %(default)s)"
    )
    election.add_argument(
        "--lease-namespace", metavar="NS", help="where the Lease is (default: the pod's own namespace)"
    )
    election.add_argument(
        "--lease-seconds",
        type=_whole(2, 600),
        default=15,
        metavar="S",
        help="a standby takes over when the leader has been silent for so long (default: 15)",
    )
    logs = parser.add_argument_group("logs", "Everything goes to the standard error output.")
    logs.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"], help="default: info"
    )
    logs.add_argument(
        "--log-format",
        default="plain",
        choices=["plain", "json"],
        help="json: one object a line, with the fields timestamp, severity, message, and object (apiVersion, kind, "
        "namespace, name) where the line is about one (default: plain)",
    )
    return parser


def _whole(least: int, most: int) -> "type[int]":
    def parse(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{number} is not between {least} and {most}")
        return number

    parse.__name__ = "whole number"
    return parse  # type: ignore[return-value]


def _configure_logs(level: int, *, json: bool) -> None:
    kopf.configure(
        debug=level <= logging.DEBUG,
        quiet=level >= logging.WARNING,
        log_format=kopf.LogFormat.JSON if json else kopf.LogFormat.FULL,
    )
    logging.getLogger().setLevel(level)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_one_line_each)
    # "Handler succeeded" for each event of each object says nothing; what the operator does, it logs itself.
    for chatty in ("kopf.objects", "kopf.activities", "aiohttp.access", "urllib3"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    # What ends a thread or the process is a line like any other.
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda caught: _log_uncaught(
        caught.exc_type, caught.exc_value or caught.exc_type(), caught.exc_traceback
    )


def _one_line_each(record: logging.LogRecord) -> bool:
    """Texts of the cluster are in it: a record stays one line, and steers no terminal. A traceback is our own."""
    record.msg, record.args = printable(record.getMessage()), None
    return True


def _keep_memory_flat() -> None:
    """Let the garbage collector look at what is new only, and more often.

    kopf builds reference cycles around each event, with the whole object in them, and only a full collection frees
    them. Python puts that off until a quarter as much is new as there is in all. With the 70 000 objects that the start
    loads, and that stay for ever, memory grew by megabytes over the first thousand rounds and each full collection
    took tens of milliseconds. Without them it takes about one, so that it may come after each third smaller one.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # only this one notes how little there is
    gc.set_threshold(700, 10, 2)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("kube_rendezvous_operator").critical(
        "The operator met something unexpected", exc_info=(kind, error, trace)
    )


if __name__ == "__main__":
    sys.exit(main())
