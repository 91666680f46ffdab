"""Which Rendezvous and RendezvousMember manifests the API server takes, and what it says to the others."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from kube_rendezvous.resources import API_VERSION, MEMBER_KIND, RENDEZVOUS_KIND, member_manifest, parse_member

pytestmark = pytest.mark.core

Spec = Mapping[str, Any]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]
Validate = Callable[[str, Spec], subprocess.CompletedProcess[str]]
Apply = Callable[[str, str, Spec], subprocess.CompletedProcess[str]]
Get = Callable[[str, str], dict[str, Any]]
PatchMember = Callable[[Spec], subprocess.CompletedProcess[str]]

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)

MEMBER: Spec = {
    "rendezvous": "run",
    "rendezvousUID": "6ff36f4a-9b13-4c94-a2d5-2f0b6a4f0f5e",
    "podName": "trainer-0",
    "podUID": "0d4f1b0e-6a0a-4d26-8f0b-5c8b4e9d8f11",
    "nodeName": "worker-7",
    "slot": "0",
    "address": "10.0.3.7",
    "port": 41295,
    "afterRound": 3,
    "renewTime": "2026-05-04T03:02:01.987654Z",
}


@pytest.fixture
def validate(kubectl: Kubectl) -> Validate:
    """Sends a manifest to the API server, which checks it as ever and then stores nothing."""

    def run(kind: str, spec: Spec) -> subprocess.CompletedProcess[str]:
        manifest = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "run"}, "spec": dict(spec)}
        return kubectl("apply", "--dry-run=server", "-f", "-", "-n", "default", stdin=json.dumps(manifest))

    return run


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"minNodes": 4, "maxNodes": 2},
            "maxNodes (2) is less than minNodes (4): set maxNodes to at least 4, or minNodes to at most 2",
        ),
        (
            {"minNodes": 0},
            "spec.minNodes: Invalid value: 0: spec.minNodes in body should be greater than or equal to 1",
        ),
        (
            {"minNodes": 10001},
            "spec.minNodes: Invalid value: 10001: spec.minNodes in body should be less than or equal to 10000",
        ),
        ({"maxNodes": 4}, "spec.minNodes: Required value"),
        (
            {"minNodes": 2, "maxNodes": 0},
            "spec.maxNodes: Invalid value: 0: spec.maxNodes in body should be greater than or equal to 1",
        ),
        (
            {"minNodes": 2, "nodeUnit": 0},
            "spec.nodeUnit: Invalid value: 0: spec.nodeUnit in body should be greater than or equal to 1",
        ),
        (
            {"minNodes": 4, "maxNodes": 5, "nodeUnit": 3},
            "no multiple of nodeUnit (3) lies between minNodes (4) and maxNodes (5), so"
            " that no world size is allowed: set nodeUnit to a number that divides minNodes, or maxNodes to at least 6",
        ),
        (
            {"minNodes": 2, "maxNodes": 4, "nodeUnit": 8},
            "no multiple of nodeUnit (8) lies between minNodes (2) and maxNodes (4), so"
            " that no world size is allowed: set nodeUnit to a number that divides minNodes, or maxNodes to at least 8",
        ),
        (
            {"minNodes": 4, "nodeUnit": 3},
            "nodeUnit (3) does not divide minNodes (4), and maxNodes is not set, so that"
            " no world size is allowed: set nodeUnit to a number that divides minNodes, or maxNodes to at least 6",
        ),
        (
            {"minNodes": 2, "lateJoiners": "Never"},
            'spec.lateJoiners: Unsupported value: "Never": supported values: "Restart", "Wait"',
        ),
        (
            {"minNodes": 2, "reopen": "Always"},
            'spec.reopen: Unsupported value: "Always": supported values: "WhenEmpty", "Never"',
        ),
        (
            {"minNodes": 2, "heartbeatSeconds": 0},
            "spec.heartbeatSeconds: Invalid value: 0: spec.heartbeatSeconds in body should be"
            " greater than or equal to 1",
        ),
        (
            {"minNodes": 2, "lastCallSeconds": -1},
            "spec.lastCallSeconds: Invalid value: -1: spec.lastCallSeconds in body should be"
            " greater than or equal to 0",
        ),
        (
            {"minNodes": "two"},
            'spec.minNodes: Invalid value: "string": spec.minNodes in body must be of type integer: "string"',
        ),
        ({"minNodes": 2, "maxNode": 4}, 'unknown field "spec.maxNode"'),
    ],
)
def test_a_wrong_rendezvous_is_refused_with_a_sentence_that_says_what_to_change(
    validate: Validate, spec: Spec, sentence: str
) -> None:
    refused = validate(RENDEZVOUS_KIND, spec)
    assert refused.returncode != 0
    assert sentence in refused.stderr


def test_a_name_that_no_pod_label_could_hold_is_refused(kubectl: Kubectl) -> None:
    def create(name: str) -> subprocess.CompletedProcess[str]:
        manifest = {
            "apiVersion": API_VERSION,
            "kind": RENDEZVOUS_KIND,
            "metadata": {"name": name},
            "spec": {"minNodes": 1},
        }
        return kubectl("create", "--dry-run=server", "-f", "-", "-n", "default", stdin=json.dumps(manifest))

    assert create("n" * 63).returncode == 0
    refused = create("n" * 64)
    assert refused.returncode != 0
    assert "the name is longer than 63 characters" in refused.stderr


def test_one_mistake_in_the_numbers_is_told_once(validate: Validate) -> None:
    for spec in ({"minNodes": 0}, {"minNodes": 4, "maxNodes": 2, "nodeUnit": 3}, {"minNodes": 2, "nodeUnit": 0}):
        assert len(validate(RENDEZVOUS_KIND, spec).stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "spec",
    [
        {"minNodes": 1},
        {"minNodes": 10000, "maxNodes": 10000, "nodeUnit": 10000},
        {"minNodes": 4, "nodeUnit": 2},
        {"minNodes": 4, "maxNodes": 6, "nodeUnit": 3},
        {"minNodes": 3, "maxNodes": 5, "nodeUnit": 3},
        {"minNodes": 2, "lastCallSeconds": 0, "heartbeatSeconds": 1, "lateJoiners": "Wait", "reopen": "Never"},
    ],
)
def test_a_right_rendezvous_is_taken(validate: Validate, spec: Spec) -> None:
    taken = validate(RENDEZVOUS_KIND, spec)
    assert taken.returncode == 0, taken.stderr


def test_what_the_advice_of_a_refusal_says_is_taken(validate: Validate) -> None:
    refused = validate(RENDEZVOUS_KIND, {"minNodes": 7, "maxNodes": 9, "nodeUnit": 5})
    advised = re.search(r"maxNodes to at least (\d+)", refused.stderr)
    assert advised is not None
    taken = validate(RENDEZVOUS_KIND, {"minNodes": 7, "maxNodes": int(advised[1]), "nodeUnit": 5})
    assert taken.returncode == 0, taken.stderr


def test_a_rendezvous_needs_no_more_than_min_nodes(apply: Apply, get: Get) -> None:
    apply(RENDEZVOUS_KIND, "run", {"minNodes": 2})
    assert get("rdzv", "run")["spec"] == {
        "minNodes": 2,
        "nodeUnit": 1,
        "lastCallSeconds": 30,
        "heartbeatSeconds": 5,
        "lateJoiners": "Restart",
        "reopen": "WhenEmpty",
        "closed": False,
    }


def test_a_spec_can_be_changed(apply: Apply) -> None:
    apply(RENDEZVOUS_KIND, "run", {"minNodes": 2, "maxNodes": 4})
    changed = apply(RENDEZVOUS_KIND, "run", {"minNodes": 3, "lateJoiners": "Wait", "closed": True})
    assert changed.stdout == "rendezvous.rendezvous.dev/run configured\n"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"port": 0}, "spec.port: Invalid value: 0: spec.port in body should be greater than or equal to 1"),
        ({"port": -1}, "spec.port: Invalid value: -1: spec.port in body should be greater than or equal to 1"),
        ({"port": 65536}, "spec.port: Invalid value: 65536: spec.port in body should be less than or equal to 65535"),
        (
            {"address": "10.0.3.7 "},
            "spec.address must be an IPv4 address, an IPv6 address without brackets or a host name: write letters,"
            " digits and . : % _ - only, and the port into spec.port",
        ),
        ({"address": "[fd00::7]:41295"}, "spec.address must be an IPv4 address, an IPv6 address without brackets"),
        ({"address": "10.0.3.7\n"}, "spec.address must be an IPv4 address, an IPv6 address without brackets"),
        ({"address": ""}, 'spec.address: Invalid value: "": spec.address in body should be at least 1 chars long'),
        (
            {"rendezvous": "My_Run"},
            "spec.rendezvous must be the name of a Rendezvous: write lower-case letters, digits, '-' and '.' only,"
            " with a letter or digit at the start and the end of each part",
        ),
        ({"rendezvous": "run-"}, "spec.rendezvous must be the name of a Rendezvous"),
        ({"rendezvous": "a..b"}, "spec.rendezvous must be the name of a Rendezvous"),
        ({"rendezvousUID": ""}, "spec.rendezvousUID in body should be at least 1 chars long"),
        ({"slot": "x" * 64}, "spec.slot: Too long"),
        ({"afterRound": -1}, "spec.afterRound in body should be greater than or equal to 0"),
        ({"renewTime": "yesterday"}, 'spec.renewTime in body must be of type date-time: "yesterday"'),
        ({"closeReason": "x" * 257}, "spec.closeReason: Too long"),
    ],
)
def test_a_wrong_member_is_refused_with_a_sentence_that_says_what_to_change(
    validate: Validate, change: Spec, sentence: str
) -> None:
    refused = validate(MEMBER_KIND, {**MEMBER, **change})
    assert refused.returncode != 0
    assert sentence in refused.stderr


def test_a_member_needs_a_rendezvous_an_address_and_a_port(validate: Validate) -> None:
    refused = validate(MEMBER_KIND, {})
    for field in ("rendezvous", "address", "port"):
        assert f"spec.{field}: Required value" in refused.stderr


@pytest.mark.parametrize("address", ["10.0.3.7", "fd00::7", "fe80::1%eth0", "trainer-0.trainers.ml.svc", "Host_1"])
def test_a_member_may_have_any_kind_of_address(validate: Validate, address: str) -> None:
    taken = validate(MEMBER_KIND, {**MEMBER, "address": address})
    assert taken.returncode == 0, taken.stderr


@pytest.fixture
def member(kubectl: Kubectl, namespace: str, apply: Apply) -> PatchMember:
    """A member that is there already; the function patches its spec."""
    taken = apply(MEMBER_KIND, "trainer-0-x7k2p", {**MEMBER, "leaving": True, "closeRequested": True})
    assert taken.returncode == 0, taken.stderr

    def patch(change: Spec) -> subprocess.CompletedProcess[str]:
        body = json.dumps({"spec": change})
        return kubectl("patch", "rdzvm", "trainer-0-x7k2p", "-n", namespace, "--type=merge", "-p", body)

    return patch


def test_who_a_member_is_cannot_be_changed(member: PatchMember) -> None:
    for field in ("rendezvous", "rendezvousUID", "podName", "podUID", "nodeName", "slot", "address"):
        refused = member({field: "other"})
        assert refused.returncode != 0
        sentence = f"spec.{field} cannot be changed: delete this RendezvousMember and create one with another name"
        assert sentence in refused.stderr


def test_a_member_says_once_where_it_belongs(kubectl: Kubectl, namespace: str, apply: Apply) -> None:
    spec = {key: value for key, value in MEMBER.items() if key != "rendezvousUID"}
    taken = apply(MEMBER_KIND, "trainer-1-b2k4p", spec)
    assert taken.returncode == 0, taken.stderr

    def patch(uid: str | None) -> subprocess.CompletedProcess[str]:
        body = json.dumps({"spec": {"rendezvousUID": uid}})
        return kubectl("patch", "rdzvm", "trainer-1-b2k4p", "-n", namespace, "--type=merge", "-p", body)

    assert patch("u").returncode == 0
    for later in ("another", None):
        assert "spec.rendezvousUID cannot be changed" in patch(later).stderr


def test_who_a_member_is_cannot_be_taken_away(member: PatchMember) -> None:
    for field in ("rendezvousUID", "podName", "podUID", "nodeName", "slot"):
        assert f"spec.{field} cannot be changed" in member({field: None}).stderr
    for field in ("rendezvous", "address"):
        assert f"spec.{field}: Required value" in member({field: None}).stderr


def test_the_round_that_a_member_left_never_shrinks(member: PatchMember) -> None:
    sentence = (
        "spec.afterRound cannot shrink: write 3 or more,"
        " or delete this RendezvousMember and create one with another name"
    )
    assert sentence in member({"afterRound": 2}).stderr
    assert sentence in member({"afterRound": None}).stderr


@pytest.mark.parametrize("value", [False, None])
def test_leaving_and_closing_cannot_be_taken_back(member: PatchMember, value: bool | None) -> None:
    leaving = "spec.leaving cannot be taken back: create a RendezvousMember with another name to join again"
    assert leaving in member({"leaving": value}).stderr
    closing = (
        "spec.closeRequested cannot be taken back:"
        " to open the rendezvous again, end every member and let a new one join"
    )
    assert closing in member({"closeRequested": value}).stderr


def test_a_member_joins_again_with_a_later_round_another_port_and_a_heartbeat(member: PatchMember, get: Get) -> None:
    again = {"afterRound": 4, "port": 50000, "renewTime": "2026-05-04T03:02:02.000001Z"}
    assert member(again).returncode == 0
    spec = get("rdzvm", "trainer-0-x7k2p")["spec"]
    assert {field: spec[field] for field in again} == again


def test_the_member_that_the_client_writes_comes_back_unchanged(kubectl: Kubectl, namespace: str, get: Get) -> None:
    body = member_manifest(
        name="host-q9f4d",
        rendezvous="run",
        rendezvous_uid="6ff36f4a-9b13-4c94-a2d5-2f0b6a4f0f5e",
        address="fd00::7",
        port=41295,
        renew_time=NOW,
        slot="3",
    )
    created = kubectl("create", "-f", "-", "-n", namespace, stdin=json.dumps(body))
    assert created.returncode == 0, created.stderr
    found = get("rdzvm", "host-q9f4d")
    empty = {"podName": "", "podUID": "", "nodeName": "", "closeReason": ""}
    defaults = {**empty, "leaving": False, "preparing": False, "closeRequested": False, "holdsPlace": False}
    assert found["spec"] == {**defaults, **body["spec"]}
    read = parse_member(found)
    assert (read.address, read.port, read.slot, read.after_round) == ("fd00::7", 41295, "3", 0)


def test_members_are_selected_by_their_rendezvous(kubectl: Kubectl, namespace: str, apply: Apply) -> None:
    for name, rendezvous in (("a", "run"), ("b", "other"), ("c", "run")):
        apply(MEMBER_KIND, name, {**MEMBER, "rendezvous": rendezvous})
    selected = kubectl("get", "rdzvm", "-n", namespace, "--field-selector=spec.rendezvous=run", "-o", "name")
    assert selected.stdout.split() == ["rendezvousmember.rendezvous.dev/a", "rendezvousmember.rendezvous.dev/c"]
