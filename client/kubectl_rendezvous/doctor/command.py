"""`kubectl rendezvous doctor`: read, try if asked to, examine, tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kubectl_rendezvous.doctor.checks import examine
from kubectl_rendezvous.doctor.finding import Finding, Verdict
from kubectl_rendezvous.doctor.probing import try_image, try_operator
from kubectl_rendezvous.doctor.reading import SurroundingsReader
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.printing import Printer
from kubectl_rendezvous.reading import Reader
from kubectl_rendezvous.wording import count

_CHART = (
    "deploy/helm/kube-rendezvous in a checkout; of a release the file kube-rendezvous-VERSION.tgz, or "
    "oci://REGISTRY/charts/kube-rendezvous with --version"
)
_SIGNS = {Verdict.OK: "ok", Verdict.WARNING: "warning", Verdict.PROBLEM: "PROBLEM", Verdict.UNKNOWN: "unknown"}
_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "bold red", Verdict.UNKNOWN: "yellow"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Args:
        account: service account of the training pods.
        operator_namespace: None: it is looked for.
        attempt: whether to make a Rendezvous, to see whether an operator answers.
        image: to start two pods of; "" for none.
        pull_secrets: for it.
        seconds: for the pods.
    """

    account: str
    operator_namespace: str | None
    attempt: bool
    image: str
    pull_secrets: Sequence[str]
    seconds: float


def diagnose(reader: Reader, wish: Wish, printer: Printer, output: str) -> None:
    """Tell what is well and what is not.

    Args:
        output: json, yaml, or "" for people.

    Raises:
        CommandError: there are problems, or the cluster cannot be asked.
    """
    seen = SurroundingsReader(reader, wish.account, wish.operator_namespace).read()
    if wish.attempt or wish.image:
        seen = replace(seen, answer=try_operator(reader))
    if wish.image:
        pods = try_image(reader, wish.image, wish.account, wish.pull_secrets, wish.seconds)
        seen = replace(seen, pods=pods)
    findings = examine(seen)
    if output:
        printer.document(_document(findings), output)
    else:
        _tell(findings, wish, printer)
    if problems := sum(finding.verdict is Verdict.PROBLEM for finding in findings):
        raise CommandError(f"{count(problems, 'problem')}: a job would not run as it should in {reader.namespace}")


def _tell(findings: Sequence[Finding], wish: Wish, printer: Printer) -> None:
    sign = max(map(len, _SIGNS.values()))
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        line = f"{_SIGNS[finding.verdict]:{sign}}  {finding.check:{width}}  {finding.sentence}"
        printer.line(line, style=_STYLES[finding.verdict] if finding.verdict is not Verdict.OK else None)
        if finding.mend:
            printer.line(f"{'':{sign}}  {'':{width}}  → {finding.mend}")
    if any("CHART" in finding.mend for finding in findings):
        printer.line(f"CHART: {_CHART}")
    if not wish.image:
        printer.line("Not tried: the training image, and whether pods reach each other. To try them: --image IMAGE")


def _document(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [{"check": f.check, "verdict": str(f.verdict), "sentence": f.sentence, "mend": f.mend} for f in findings]
