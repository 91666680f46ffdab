"""`docs/reference/metrics.md`: the operator's metrics, as it serves them, and the chart's alerts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from kube_rendezvous_operator.shell.monitoring.metrics import Metrics

_HEAD = """\
# Metrics and alerts

<!-- Generated from the operator and the chart's prometheus-rule.yaml by `make generate`. -->

The operator serves them at `/metrics` on `operator.port`, in Prometheus' text format; both replicas do, the one that
leads has the work to show. No label holds an object's name, so that their number is bounded. The chart installs a
ServiceMonitor, the alerts and a Grafana dashboard where the cluster knows these kinds
([values](chart.md): `metrics`).

## Metrics

| metric | type | labels | |
|---|---|---|---|
"""
_ALERT = re.compile(
    r"- alert: (?P<name>\w+)\n(?P<body>.*?)summary: (?P<summary>[^\n]+)\n\s+description: (?P<todo>[^\n]+)\n", re.DOTALL
)


@dataclass(frozen=True)
class Alert:
    """One alert of the chart."""

    name: str
    severity: str
    after: str
    means: str
    do: str


def metrics_reference(rules: str) -> str:
    """The page.

    Args:
        rules: text of the chart's `prometheus-rule.yaml`.
    """
    alerts = "".join(
        f"| `{alert.name}` | {alert.severity} | {alert.after} | {alert.means} | {alert.do} |\n"
        for alert in alerts_of(rules)
    )
    head = "\n## Alerts\n\n| alert | severity | after | what it means | what to do |\n|---|---|---|---|---|\n"
    return _HEAD + "".join(_metrics()) + head + alerts


def alerts_of(rules: str) -> Iterator[Alert]:
    """The alerts of the template."""
    for found in _ALERT.finditer(rules):
        body = found["body"]
        severity, after = re.search(r"severity: (\w+)", body), re.search(r"for: (\w+)", body)
        do = re.sub(r"\{\{.*?namespace.*?\}\}", "of the release", found["todo"].strip('"'))
        yield Alert(
            found["name"],
            severity[1] if severity else "",
            after[1] if after else "at once",
            found["summary"].strip('"'),
            do,
        )


def _metrics() -> Iterator[str]:
    metrics = Metrics(lambda: True)
    # One of each, because a metric shows its labels only when it has been counted.
    metrics.count_at_scrape(lambda: {"ranked": 0}, lambda: {"Active": 0})
    metrics.request("GET", 200, "/")
    metrics.watch_restarted("pods", "ended")
    for family in text_string_to_metric_families(metrics.text().decode()):
        if not family.name.startswith("kube_rendezvous"):
            continue
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"| `{name}` | {family.type} | {', '.join(f'`{label}`' for label in labels)} | {family.documentation} |\n"
    yield "| `process_*` | gauge, counter | | CPU, memory and descriptors of the process. |\n"
