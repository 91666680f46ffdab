"""What must hold for the schemas of the custom resources, without a cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube_rendezvous.resources import (
    GROUP,
    MEMBER_KIND,
    MEMBER_PLURAL,
    RENDEZVOUS_KIND,
    RENDEZVOUS_PLURAL,
    SLICE_KIND,
    SLICE_PLURAL,
    SPOKEN_VERSIONS,
    VERSION,
    LateJoiners,
    RendezvousSpec,
    Reopen,
    State,
    spec_to_json,
)

FOLDER = Path(__file__).parents[2] / "crds"
FILES = sorted(FOLDER.glob("*.yaml"))
LARGEST_EXACT_JSON_INTEGER = 2**53 - 1

Schema = dict[str, Any]


def read(file: str) -> dict[str, Any]:
    manifest = yaml.safe_load((FOLDER / file).read_text())
    assert isinstance(manifest, dict)
    return manifest


def root(manifest: dict[str, Any]) -> Schema:
    version, *_ = manifest["spec"]["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema at or below this one, with the path that `kubectl explain` would take."""
    yield path or ".", schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


EVERYTHING = [
    pytest.param(schema, id=f"{file.stem}{path}")
    for file in FILES
    for path, schema in walk(root(yaml.safe_load(file.read_text())))
]


@pytest.mark.parametrize(
    ("file", "kind", "plural"),
    [
        ("rendezvous.yaml", RENDEZVOUS_KIND, RENDEZVOUS_PLURAL),
        ("rendezvousmember.yaml", MEMBER_KIND, MEMBER_PLURAL),
        ("rendezvousslice.yaml", SLICE_KIND, SLICE_PLURAL),
    ],
)
def test_a_file_defines_the_resource_that_the_programs_use(file: str, kind: str, plural: str) -> None:
    manifest = read(file)
    assert manifest["apiVersion"] == "apiextensions.k8s.io/v1"
    assert manifest["kind"] == "CustomResourceDefinition"
    assert manifest["metadata"]["name"] == f"{plural}.{GROUP}"
    spec = manifest["spec"]
    assert (spec["group"], spec["scope"]) == (GROUP, "Namespaced")
    assert (spec["names"]["kind"], spec["names"]["plural"]) == (kind, plural)
    assert tuple(version["name"] for version in spec["versions"]) == SPOKEN_VERSIONS


@pytest.mark.parametrize("file", [file.name for file in FILES])
def test_all_versions_are_served_and_differ_in_nothing_but_the_name_and_who_is_stored(file: str) -> None:
    spec = read(file)["spec"]
    assert spec["conversion"] == {"strategy": "None"}
    first, *others = ({**version} for version in spec["versions"])
    assert first["name"] == VERSION
    assert (first.pop("storage"), first.pop("name")) == (True, VERSION)
    for other in others:
        assert other.pop("storage") is False
        other.pop("name")
        assert other == first
        assert other["served"] is True


def test_there_is_no_other_definition() -> None:
    assert [file.name for file in FILES] == ["rendezvous.yaml", "rendezvousmember.yaml", "rendezvousslice.yaml"]


@pytest.mark.parametrize("schema", EVERYTHING)
def test_every_field_has_a_description_that_is_a_sentence(schema: Schema) -> None:
    description = schema.get("description", "")
    assert len(description) >= 10
    assert description[0].isupper() or description[0] == '"'
    assert description.endswith((".", '."'))


@pytest.mark.parametrize("schema", EVERYTHING)
def test_every_field_is_bounded(schema: Schema) -> None:
    match schema["type"]:
        case "string":
            assert 0 < schema["maxLength"] <= 1024
        case "array":
            assert 0 < schema["maxItems"] <= 1000
        case "integer":
            assert 0 <= schema["minimum"] < schema["maximum"] <= LARGEST_EXACT_JSON_INTEGER
        case "number":
            assert schema["minimum"] == 0
        case "object" if "additionalProperties" in schema:
            assert 0 < schema["maxProperties"] <= 1000
        case "object":
            assert schema["properties"], "an object of which nothing is known takes anything"
        case other:
            assert other == "boolean"


@pytest.mark.parametrize("schema", EVERYTHING)
def test_every_rule_has_a_message(schema: Schema) -> None:
    for rule in schema.get("x-kubernetes-validations", []):
        assert "message" in rule or "messageExpression" in rule


def test_the_defaults_of_the_schema_are_those_of_the_programs() -> None:
    properties = root(read("rendezvous.yaml"))["properties"]["spec"]["properties"]
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    ours = spec_to_json(RendezvousSpec(min_nodes=1, max_nodes=1))
    assert defaults == {name: value for name, value in ours.items() if name not in ("minNodes", "maxNodes")}


def test_explain_tells_the_default_of_each_field_of_a_rendezvous() -> None:
    # kubectl explain does not show defaults by itself.
    properties = root(read("rendezvous.yaml"))["properties"]["spec"]["properties"]
    for schema in properties.values():
        if "default" in schema:
            default = str(schema["default"])
            told = default.lower() if schema["type"] == "boolean" else default
            assert schema["description"].endswith(f"Default: {told}.")


def test_the_choices_of_the_schema_are_those_of_the_programs() -> None:
    properties = root(read("rendezvous.yaml"))["properties"]
    spec, status = properties["spec"]["properties"], properties["status"]["properties"]
    assert spec["lateJoiners"]["enum"] == list(LateJoiners)
    assert spec["reopen"]["enum"] == list(Reopen)
    assert status["state"]["enum"] == list(State)


def test_all_of_a_members_identity_is_immutable() -> None:
    properties = root(read("rendezvousmember.yaml"))["properties"]["spec"]["properties"]
    immutable = {
        name
        for name, schema in properties.items()
        if any(rule["rule"] == "self == oldSelf" for rule in schema.get("x-kubernetes-validations", []))
    }
    assert immutable == {
        "rendezvous",
        "rendezvousUID",
        "podName",
        "podUID",
        "nodeName",
        "slot",
        "address",
        "holdsPlace",
    }


def test_where_a_member_belongs_can_be_said_later_and_not_taken_back() -> None:
    spec = root(read("rendezvousmember.yaml"))["properties"]["spec"]
    assert "rendezvousUID" not in spec["required"]
    assert "!has(oldSelf.rendezvousUID) || has(self.rendezvousUID)" in [
        rule["rule"] for rule in spec["x-kubernetes-validations"]
    ]


def test_every_printer_column_shows_a_field_that_exists() -> None:
    for file in FILES:
        manifest = read(file.name)
        fields = {path for path, _ in walk(root(manifest))} | {".metadata.creationTimestamp"}
        version, *_ = manifest["spec"]["versions"]
        columns = version["additionalPrinterColumns"]
        assert {column["jsonPath"] for column in columns} <= fields
        assert all(column["description"] for column in columns)
