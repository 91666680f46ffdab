"""How many writes the API server has answered, by what was written: from its own metrics."""

import re
from collections import Counter

from e2e.kubectl import Kubectl

WRITES = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
_LINE = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def writes(kubectl: Kubectl) -> Counter[tuple[str, str, str, str]]:
    """Writes since the API server was started, by (API group, resource, subresource, verb)."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for found in _LINE.finditer(kubectl("get", "--raw", "/metrics")):
        labels = dict(_LABEL.findall(found["labels"]))
        if labels["verb"] in WRITES and not labels.get("dry_run"):
            key = (labels["group"], labels["resource"], labels.get("subresource", ""), labels["verb"])
            counts[key] += int(float(found["value"]))
    return counts
