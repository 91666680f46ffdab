"""`kubectl rendezvous`: parse, do, print; 0 = done, 1 = it could not be done, 2 = wrong usage."""

import logging
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from kube_rendezvous.printable_text import printable
from kubectl_rendezvous.arguments import build_parser
from kubectl_rendezvous.errors import CommandError

_SECOND_LOOK_SECONDS = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parsed = build_parser().parse_args(arguments)
    # What the client library would log goes to the reader as an error, in words.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        _COMMANDS[parsed.command](parsed)
        sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(printable(f"error: {error}") + "\n")
        return 1
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


def _dashboard(parsed: Namespace) -> None:
    from kubectl_rendezvous.dashboard.command import serve_dashboard
    from kubectl_rendezvous.reading import Reader, connect

    def say(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()  # who reads it may be a program

    reader = Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace)
    serve_dashboard(reader, parsed.port, say, everywhere=parsed.all_namespaces)


def _doctor(parsed: Namespace) -> None:
    from kubectl_rendezvous.doctor.command import Wish, diagnose
    from kubectl_rendezvous.printing import Printer
    from kubectl_rendezvous.reading import Reader, connect

    printer = Printer()
    reader = Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace)
    wish = Wish(
        account=parsed.service_account,
        operator_namespace=parsed.operator_namespace,
        attempt=parsed.attempt,
        image=parsed.image,
        pull_secrets=parsed.image_pull_secret,
        seconds=parsed.timeout,
    )
    diagnose(reader, wish, printer, parsed.output)


def _list(parsed: Namespace) -> None:
    from kubectl_rendezvous.printing import Printer
    from kubectl_rendezvous.reading import Reader, connect, read_rendezvous
    from kubectl_rendezvous.tables import list_table

    printer = Printer()
    reader = Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace)
    raw = reader.raw_rendezvous(everywhere=parsed.all_namespaces)
    if parsed.output in ("json", "yaml"):
        printer.document({"apiVersion": "v1", "kind": "List", "items": raw}, parsed.output)
        return
    if not raw:
        where = "the cluster" if parsed.all_namespaces else f"namespace {reader.namespace}"
        sys.stderr.write(f"No Rendezvous in {where}.\n")
        return
    seen = sorted(map(read_rendezvous, raw), key=lambda s: (s.rendezvous.namespace, s.rendezvous.name))
    wide = parsed.output == "wide"
    printer.table(list_table(seen, datetime.now(UTC), wide=wide, namespaces=parsed.all_namespaces))


def _explain(parsed: Namespace) -> None:
    from kubectl_rendezvous.causes import find_causes
    from kubectl_rendezvous.causes.operator_absence import SILENT
    from kubectl_rendezvous.printing import Printer
    from kubectl_rendezvous.reading import Reader, connect
    from kubectl_rendezvous.story import story_document, tell

    printer = Printer()
    reader = Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace)
    observation = reader.observe(parsed.name)
    findings = find_causes(observation)
    if any(finding.cause == SILENT for finding in findings):
        # The operator may have been about to write: nobody is called dead after one look.
        time.sleep(_SECOND_LOOK_SECONDS)
        observation = reader.observe(parsed.name)
        findings = find_causes(observation)
    if parsed.output:
        printer.document(story_document(observation, findings), parsed.output)
    else:
        printer.sections(tell(observation, findings))


def _watch(parsed: Namespace) -> None:
    from kubectl_rendezvous.printing import Printer
    from kubectl_rendezvous.reading import Reader, connect
    from kubectl_rendezvous.watching import watch

    printer = Printer()
    watch(Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace), parsed.name, printer)


def _history(parsed: Namespace) -> None:
    from kubectl_rendezvous.plot import plot_history
    from kubectl_rendezvous.printing import Printer
    from kubectl_rendezvous.reading import Reader, connect
    from kubectl_rendezvous.timeline import history_document, summary, timeline_table

    printer = Printer()
    reader = Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace)
    rendezvous = reader.rendezvous(parsed.name).rendezvous
    history, now = rendezvous.status.history, datetime.now(UTC)
    if parsed.plot is not None:
        plot_history(f"{rendezvous.namespace}/{rendezvous.name}", history, now, parsed.plot)
    if parsed.output in ("json", "yaml"):
        printer.document(history_document(history), parsed.output)
        return
    if not history:
        printer.line(f"No round of {parsed.name} was formed yet; `kubectl rendezvous explain {parsed.name}` says why.")
        return
    printer.table(timeline_table(history, now, wide=parsed.output == "wide"))
    printer.line(summary(history))
    if parsed.plot is not None:
        printer.line(f"Drawn into {parsed.plot}.")


def _plan(parsed: Namespace) -> None:
    from kubectl_rendezvous.plan import make_plan, members_to_lose, plan_document, plan_table
    from kubectl_rendezvous.printing import Printer
    from kubectl_rendezvous.reading import Reader, connect
    from kubectl_rendezvous.wording import count, listed

    if not parsed.lose and not parsed.add:
        build_parser().error("plan: say what happens: --lose POD|MEMBER…, --add N, or both")
    printer = Printer()
    reader = Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace)
    observation = reader.observe(parsed.name)
    lost = members_to_lose(observation, parsed.lose)
    if parsed.on:
        known = reader.nodes(parsed.on, [])
        observation = observation.with_nodes(known)
    plan = make_plan(observation, lost, parsed.add, parsed.on)
    if parsed.output:
        printer.document(plan_document(plan), parsed.output)
        return
    wish = [f"lost: {listed([m.name for m in lost], 10)}"] if lost else []
    wish += [f"new: {count(parsed.add, 'node')}"] if parsed.add else []
    printer.line(f"Dry run, nothing is written; {'; '.join(wish)}.")
    if plan.today or plan.then:
        printer.table(plan_table(plan))
    printer.line(plan.verdict)
    if plan.spares and plan.then:
        printer.line(f"On standby then: {listed(plan.spares, 10)}.")
    for remark in plan.remarks:
        printer.line(remark)


def _close(parsed: Namespace) -> None:
    from kubectl_rendezvous.closing import close
    from kubectl_rendezvous.printing import Printer
    from kubectl_rendezvous.reading import Reader, connect

    printer = Printer()
    reader = Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace)
    printer.line(close(reader, parsed.name, parsed.reason, parsed.timeout))


def _reopen(parsed: Namespace) -> None:
    from kubectl_rendezvous.closing import reopen
    from kubectl_rendezvous.printing import Printer
    from kubectl_rendezvous.reading import Reader, connect

    printer = Printer()
    reader = Reader(connect(parsed.kubeconfig, parsed.context), parsed.namespace)
    printer.line(reopen(reader, parsed.name, parsed.timeout))


_COMMANDS: Mapping[str, Callable[[Namespace], None]] = {
    "list": _list,
    "explain": _explain,
    "watch": _watch,
    "history": _history,
    "plan": _plan,
    "dashboard": _dashboard,
    "doctor": _doctor,
    "close": _close,
    "reopen": _reopen,
}
