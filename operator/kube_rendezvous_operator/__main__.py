"""`python -m kube_rendezvous_operator`: run the operator."""

import argparse
import logging
import sys

import kopf


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run until told to stop."""
    parser = argparse.ArgumentParser(
        prog="kube-rendezvous-operator",
        description="Forms rounds for Rendezvous objects: watches them and their members, and writes status.",
        epilog="Credentials: KUBECONFIG, else the pod's service account, else ~/.kube/config. Stop with SIGTERM or "
        "Ctrl-C: nothing is lost, the next operator goes on from what the objects say.",
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
        "--liveness", metavar="URL", help="answer liveness probes here, for example http://0.0.0.0:8080/healthz"
    )
    parser.add_argument(
        "--workers", type=int, default=4, metavar="N", help="how many rendezvous to reconcile at once (default: 4)"
    )
    parser.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"], help="default: info"
    )
    parser.add_argument("--log-format", default="plain", choices=["plain", "json"], help="default: plain")
    options = parser.parse_args(arguments)
    level = getattr(logging, options.log_level.upper())
    kopf.configure(
        debug=level <= logging.DEBUG,
        quiet=level >= logging.WARNING,
        log_format=kopf.LogFormat.JSON if options.log_format == "json" else kopf.LogFormat.FULL,
    )
    # "Handler succeeded" for each event of each object says nothing; what the operator does, it logs itself.
    for chatty in ("kopf.objects", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    from kube_rendezvous.cluster.credentials import CredentialsError
    from kube_rendezvous_operator.shell.app import Operator

    try:
        operator = Operator(options.namespace, options.workers)
    except CredentialsError as error:
        sys.stderr.write(f"kube-rendezvous-operator: {error}\n")
        return 2
    operator.run(options.liveness)
    return 0


if __name__ == "__main__":
    sys.exit(main())
