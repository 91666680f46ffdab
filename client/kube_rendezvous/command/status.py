"""`kube-rendezvous status`: one Rendezvous, for people and programs."""

import argparse
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from kube_rendezvous.command.options import Commands, command, rendezvous_options
from kube_rendezvous.command.standard_error import fail
from kube_rendezvous.exit_statuses import FAILED, UNAVAILABLE

if TYPE_CHECKING:
    from kube_rendezvous.resources import Rendezvous

_DETAILS = """\
For the whole story, with what to do about it, there is `kubectl rendezvous explain NAME`.

examples:
  kube-rendezvous status --name my-run
  kube-rendezvous status --name my-run -o json | jq .status.round

exit status: 0 printed, 1 there is no such Rendezvous, 2 wrong usage, 69 the API server is out of reach or refuses us
"""

_MEMBERS_SHOWN = 20


def add_to(commands: Commands) -> None:
    """Add it to the command line."""
    parser = command(commands, "status", "what happens with a Rendezvous (asks the API server)", _DETAILS, run)
    rendezvous_options(parser, joins=False)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: spec and status")


def run(options: argparse.Namespace) -> int:
    """Print; returns the exit status."""
    from kube_rendezvous.cluster import ApiFailureError, Connection
    from kube_rendezvous.cluster.credentials import CredentialsError
    from kube_rendezvous.cluster.refusals import explain_failure
    from kube_rendezvous.cluster.slice_list import list_slices
    from kube_rendezvous.resources import RENDEZVOUS_PLURAL, parse_rendezvous
    from kube_rendezvous.resources.names import collection_path
    from kube_rendezvous.resources.rendezvous_slice import assembled

    try:
        connection = Connection.open(options.kubeconfig, options.context)
    except CredentialsError as error:
        raise fail(UNAVAILABLE, str(error)) from error
    namespace = options.namespace or connection.namespace
    try:
        # A list of one: the very right that a trainer has.
        query = {"fieldSelector": f"metadata.name={options.name}"}
        items = connection.request("GET", collection_path(RENDEZVOUS_PLURAL, namespace), query=query)["items"]
        first = parse_rendezvous(items[0]) if items else None
        slices = list_slices(connection, namespace, options.name) if first and first.status.is_unread else []
    except ApiFailureError as failure:
        raise fail(UNAVAILABLE, explain_failure(failure, namespace)) from failure
    finally:
        connection.close()
    if first is None:
        raise fail(FAILED, f"there is no Rendezvous {options.name} in namespace {namespace}")
    if options.output == "json":
        body = {"namespace": namespace, "name": options.name}
        shown = body | {"spec": items[0].get("spec", {}), "status": items[0].get("status", {})}
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    else:
        sys.stdout.write(describe(replace(first, status=assembled(first.status, slices))))
    return 0


def describe(rendezvous: "Rendezvous") -> str:
    """The object in a few lines for people."""
    from kube_rendezvous.printable_text import printable

    spec, status = rendezvous.spec, rendezvous.status
    lines = [
        ("Rendezvous", f"{rendezvous.namespace}/{rendezvous.name}"),
        ("State", str(status.state)),
        ("Nodes", f"{spec.min_nodes} to {spec.max_nodes}"),
    ]
    if status.round:
        lines.append(("Round", f"{status.round}, world size {status.world_size}"))
    if status.bootstrap_store is not None:
        store = status.bootstrap_store
        lines.append(("Rank 0", f"{store.member} at {store.address}, port {store.port}"))
    if status.ranks:
        more = len(status.ranks) - _MEMBERS_SHOWN
        names = ", ".join(status.ranks[:_MEMBERS_SHOWN])
        lines.append(("Ranks", names + (f" and {more} more" if more > 0 else "")))
    if status.standby:
        lines.append(("Standby", str(status.standby)))
    if status.forming is not None:
        forming = status.forming
        lines.append(("Forming", f"round {forming.round} ({forming.reason}): {forming.message}"))
        lines.append(("Arrived", f"{forming.arrived} of {forming.required} required"))
    if status.closed is not None:
        lines.append(("Closed", f"{status.closed.reason}: {status.closed.message}"))
    return "".join(f"{title + ':':<12}{printable(text)}\n" for title, text in lines)
