"""`docs/reference/api.md`: every field of the custom resources, from the schemas in `crds/`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_HEAD = """\
# API reference

<!-- Generated from crds/ by `make generate`. -->

The same texts as `kubectl explain rdzv.spec`. Optional fields have no mark; a default is named where there is one.
"""


def crd_reference(crds: Iterable[Schema]) -> str:
    """The page.

    Args:
        crds: CustomResourceDefinitions, in the order of the page.
    """
    return "\n".join((_HEAD, *(_resource(crd) for crd in crds)))


def _resource(crd: Schema) -> str:
    names, group = crd["spec"]["names"], crd["spec"]["group"]
    parts: list[str] = []
    told: list[Schema] = []
    for version in crd["spec"]["versions"]:
        root = version["schema"]["openAPIV3Schema"]
        if root in told:
            also = f"`{group}/{version['name']}`"
            parts.append(f"{also} is served too, with the same fields: [what may change](../versions.md).\n")
            continue
        told.append(root)
        note = "" if version.get("served") else " (not served)"
        parts.append(f"## {names['kind']} `{group}/{version['name']}`{note}\n\n{_text(root)}\n")
        short = ", ".join(f"`{name}`" for name in names.get("shortNames", ()))
        parts.append(f"Plural `{names['plural']}`, short {short}. Scope: {crd['spec']['scope']}.\n")
        parts.extend(_rules(root, "the object"))
        fields = root.get("properties", {})
        parts.extend(_part(names["kind"], part, fields[part]) for part in ("spec", "status") if part in fields)
    return "\n".join(parts)


def _part(kind: str, name: str, schema: Schema) -> str:
    rows = "\n".join(_row(path, field, required) for path, field, required in _fields(schema, f"{name}"))
    rules = "\n".join(line for path, field, _ in _walk(schema, name) for line in _rules(field, path))
    table = f"| field | type | |\n|---|---|---|\n{rows}\n"
    return f"### {kind} {name}\n\n{_text(schema)}\n\n{table}{rules}"


def _walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    yield path, schema, True
    yield from _fields(schema, path)


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """All fields below, each with its path and whether it is required."""
    required = frozenset(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field, name in required
        yield from _fields(field, f"{path}.{name}")
    if "items" in schema:
        yield from _fields(schema["items"], f"{path}[]")


def _row(path: str, field: Schema, required: bool) -> str:
    said = _text(field).replace("|", "\\|")
    return f"| `{path}`{' **required**' if required else ''} | {_type(field)} | {said}{_bounds(field)} |"


def _type(field: Schema) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    kind = str(field.get("format") or field.get("type") or "any")
    if kind == "array":
        return f"{_type(field['items'])} list"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    return {"int64": "integer", "date-time": "time", "date-time-micros": "time"}.get(kind, kind)


def _bounds(field: Schema) -> str:
    """Bounds that a person may meet."""
    low, high = field.get("minimum"), field.get("maximum")
    bounds: list[str] = []
    if low is not None and high is not None and high < 2**53 - 1:
        bounds.append(f"{low} to {high}")
    elif low is not None:
        bounds.append(f"at least {low}")
    for key, unit in (("maxItems", "items"), ("maxLength", "characters")):
        if key in field and "enum" not in field and field.get("format") != "date-time":
            bounds.append(f"at most {field[key]} {unit}")
    return f" *({', '.join(bounds)})*" if bounds else ""


def _rules(schema: Schema, path: str) -> Sequence[str]:
    """What the API server refuses, where a rule says so in words."""
    rules = [rule["message"] for rule in schema.get("x-kubernetes-validations", ()) if "message" in rule]
    return [f"Refused on `{path}`: {' '.join(str(rule).split())}.\n" for rule in rules]


def _text(schema: Schema) -> str:
    return " ".join(str(schema.get("description", "")).split())
