"""Names of the API as pages write them: fields, labels, metrics, kinds. What does not exist is found."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_FIELD = re.compile(r"(?<![\w.\-/$}])((?:spec|status)(?:\.[A-Za-z]+|\[[^\]]*\])+)")
_METRIC = re.compile(r"\bkube_rendezvous_[a-z_]+\b(?!\.)(?!/)(?!\()")
_KIND = re.compile(r"\b[Rr]endez-?[Vv]ous(?:[ -]?(?:[Mm]ember|[Ss]lice))?s?\b")
_RIGHT_KINDS = frozenset({"Rendezvous", "rendezvous"}) | {
    name for kind in ("RendezvousMember", "RendezvousSlice") for name in (kind, f"{kind}s", f"{kind.lower()}s")
}
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


@dataclass(frozen=True)
class Names:
    """What exists.

    Args:
        fields: paths as `spec.ranking.topologyKeys`, without brackets.
        metrics: as Prometheus shows them.
        not_metrics: modules of this project that look like metrics.
    """

    fields: Collection[str]
    metrics: Collection[str]
    not_metrics: Collection[str] = ("kube_rendezvous_operator", "kube_rendezvous_core")


def field_paths(crds: Iterable[Schema]) -> frozenset[str]:
    """All fields of spec and status in all versions of the resources."""
    return frozenset(
        path
        for crd in crds
        for version in crd["spec"]["versions"]
        for part in ("spec", "status")
        for path in _paths(version["schema"]["openAPIV3Schema"]["properties"].get(part, {}), part)
    )


def _paths(schema: Schema, path: str) -> Iterator[str]:
    yield path
    for name, field in schema.get("properties", {}).items():
        yield from _paths(field, f"{path}.{name}")
    if "items" in schema:
        yield from _paths(schema["items"], path)


def metric_names(reference: str) -> frozenset[str]:
    """The metrics that the generated page lists, and the series of its histograms."""
    listed = re.findall(r"^\| `(kube_rendezvous_\w+)` \| (\w+)", reference, re.MULTILINE)
    series = {f"{name}_{part}" for name, kind in listed if kind == "histogram" for part in ("bucket", "sum", "count")}
    return frozenset({name for name, _ in listed} | series)


def misspelt(page: str, names: Names) -> list[str]:
    """What a page names and is not there.

    Args:
        page: Markdown.
        names: what is there. Fields and metrics are looked for in code only; kinds in the text only.
    """
    code = "\n".join(_CODE.findall(page))
    text = _CODE.sub("", page)
    fields = (re.sub(r"\[[^\]]*\]", "", found) for found in _FIELD.findall(code))
    wrong = [f"field {field}" for field in fields if field not in names.fields]
    known = {*names.metrics, *names.not_metrics}
    wrong += [f"metric {found}" for found in _METRIC.findall(code) if found.rstrip("_") not in known]
    kinds = (found for found in _KIND.findall(text) if found not in _RIGHT_KINDS)
    return [*wrong, *(f"kind {found}" for found in kinds)]
