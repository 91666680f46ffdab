"""How the API server keeps a status, and how kubectl shows both resources to a person."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kube_rendezvous.resources import (
    MEMBER_KIND,
    RENDEZVOUS_KIND,
    BootstrapStore,
    Closed,
    Condition,
    Forming,
    PastRound,
    RendezvousStatus,
    State,
    parse_rendezvous,
    status_to_json,
)

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
Apply = Callable[[str, str, Mapping[str, Any]], subprocess.CompletedProcess[str]]
Get = Callable[[str, str], dict[str, Any]]

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)
LONGEST_NAME = "n" * 253
LONGEST_MESSAGE = "ü" * 1024

MEMBER = {
    "rendezvous": "run",
    "rendezvousUID": "6ff36f4a-9b13-4c94-a2d5-2f0b6a4f0f5e",
    "podName": "trainer-0",
    "nodeName": "worker-7",
    "slot": "0",
    "address": "10.0.3.7",
    "port": 41295,
    "afterRound": 3,
    "renewTime": "2026-05-04T03:02:01.987654Z",
}

FULL_STATUS = RendezvousStatus(
    observed_generation=1,
    state=State.REFORMING,
    round=3,
    ranks=("trainer-0-x7k2p", "trainer-1-q9f4d"),
    slots=("0", ""),
    bootstrap_store=BootstrapStore("trainer-0-x7k2p", "10.0.3.7", 41295),
    forming=Forming(
        round=4,
        reason="MemberLost",
        message="trainer-1-q9f4d has sent no heartbeat for 15 s",
        interrupts=True,
        since=NOW,
        deadline=NOW + timedelta(seconds=30),
        arrived=1,
        required=2,
        waiting_for=("trainer-0-x7k2p",),
    ),
    standby=1,
    closed=Closed("trainer-0-x7k2p", NOW, "ClosedByMember", "closed by trainer-0-x7k2p: done", reopens_on_join=True),
    heartbeat_seconds=5,
    conditions=(Condition("Formed", "False", "Reforming", "Round 4 is being formed.", NOW, 1),),
    history=(PastRound(3, "First", "Enough came", 2, ("b",), 1, ("a",), 1, 1, NOW, 0.125),),
)

WHOLE_WORLD = tuple(f"{rank:0253d}" for rank in range(1000))
LARGEST_STATUS = replace(
    FULL_STATUS,
    ranks=WHOLE_WORLD,
    slots=("s" * 63,) * 1000,
    bootstrap_store=BootstrapStore(LONGEST_NAME, LONGEST_NAME, 65535),
    forming=Forming(
        2**40, "R" * 64, LONGEST_MESSAGE, True, NOW, NOW, arrived=2000, required=1000, waiting_for=WHOLE_WORLD[:10]
    ),
    closed=Closed(LONGEST_NAME, NOW, "R" * 64, LONGEST_MESSAGE),
    conditions=tuple(Condition(f"Type{n}", "Unknown", "R" * 64, LONGEST_MESSAGE, NOW, 2**40) for n in range(8)),
    history=(PastRound(1, "R", LONGEST_MESSAGE, 1000, WHOLE_WORLD[:10], 1000, WHOLE_WORLD[:10], 1000, 1000, NOW, 1e9),)
    * 10,
)


@pytest.mark.parametrize("status", [RendezvousStatus(), FULL_STATUS, LARGEST_STATUS], ids=["empty", "full", "largest"])
def test_the_status_that_the_operator_writes_comes_back_unchanged(
    kubectl: Kubectl, namespace: str, apply: Apply, get: Get, status: RendezvousStatus
) -> None:
    apply(RENDEZVOUS_KIND, "run", {"minNodes": 2})
    write_status(kubectl, namespace, get, status)
    assert parse_rendezvous(get("rdzv", "run")).status == status


def test_a_status_with_two_conditions_of_one_type_is_refused(
    kubectl: Kubectl, namespace: str, apply: Apply, get: Get
) -> None:
    apply(RENDEZVOUS_KIND, "run", {"minNodes": 2})
    condition = FULL_STATUS.conditions[0]
    with pytest.raises(AssertionError, match="Duplicate value"):
        write_status(kubectl, namespace, get, replace(FULL_STATUS, conditions=(condition, condition)))


def test_writing_the_spec_leaves_the_status_alone(kubectl: Kubectl, namespace: str, apply: Apply, get: Get) -> None:
    apply(RENDEZVOUS_KIND, "run", {"minNodes": 2})
    write_status(kubectl, namespace, get, FULL_STATUS)
    body = {**get("rdzv", "run"), "status": {}}
    replaced = kubectl("replace", "-f", "-", "-n", namespace, stdin=json.dumps(body))
    assert replaced.returncode == 0, replaced.stderr
    assert parse_rendezvous(get("rdzv", "run")).status == FULL_STATUS


def write_status(kubectl: Kubectl, namespace: str, get: Get, status: RendezvousStatus) -> None:
    body = {**get("rdzv", "run"), "status": status_to_json(status)}
    written = kubectl("replace", "--subresource=status", "-f", "-", "-n", namespace, stdin=json.dumps(body))
    assert written.returncode == 0, written.stderr


def table(text: str) -> tuple[list[str], list[str]]:
    """Header and first row of what kubectl printed; a column begins where its header does."""
    header, row = text.splitlines()[:2]
    starts = [found.start() for found in re.finditer(r"\S+", header)]
    ends = [*starts[1:], max(len(header), len(row))]
    return header.split(), [row[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def test_get_shows_a_rendezvous_in_one_line(kubectl: Kubectl, namespace: str, apply: Apply, get: Get) -> None:
    apply(RENDEZVOUS_KIND, "run", {"minNodes": 2, "maxNodes": 4})
    write_status(kubectl, namespace, get, FULL_STATUS)

    header, row = table(kubectl("get", "rdzv", "-n", namespace).stdout)
    assert header == ["NAME", "STATE", "ROUND", "WORLD", "MIN", "MAX", "STANDBY", "RANK-0", "AGE"]
    assert row[:-1] == ["run", "Reforming", "3", "2", "2", "4", "1", "trainer-0-x7k2p"]

    header, row = table(kubectl("get", "rdzv", "-n", namespace, "-o", "wide").stdout)
    assert header[-2:] == ["FORMING", "MESSAGE"]
    assert row[-2:] == ["MemberLost", "trainer-1-q9f4d has sent no heartbeat for 15 s"]


def test_get_shows_a_member_in_one_line(kubectl: Kubectl, namespace: str, apply: Apply) -> None:
    apply(MEMBER_KIND, "trainer-0-x7k2p", MEMBER)
    header, row = table(kubectl("get", "rdzvm", "-n", namespace).stdout)
    places = ["NAME", "RENDEZVOUS", "POD", "NODE", "SLOT", "ADDRESS", "PORT", "AFTER-ROUND", "RENEWED", "AGE"]
    assert header == places
    assert row[:-2] == ["trainer-0-x7k2p", "run", "trainer-0", "worker-7", "0", "10.0.3.7", "41295", "3"]


EXPLAINED_FORMING = """
    The round in the making. Absent while a round stands and nothing changes,
    and after closing.

FIELDS:
  arrived	<integer>
    How many members wait for this round now.

  deadline	<string>
    When last call ends: the round is then formed with the nodes that are here.
    Absent until enough of them are.

  interrupts	<boolean> -required-
    True: the members of the current round must stop and join again. False:
    nobody is disturbed; newcomers gather beside a round that goes on, or
    nothing runs yet.

  message	<string> -required-
    Why it is being formed, as a sentence, with the members concerned.

  reason	<string> -required-
    Why it is being formed, as one CamelCase word.

  required	<integer>
    How many must have arrived before it can be formed.

  round	<integer> -required-
    The number that it will have.

  since	<string> -required-
    When the forming began.

  waitingFor	<[]string>
    Members of the current round that have not joined again yet, then labelled
    pods that have not joined yet with what holds them, the first ten of them.
"""


def test_explain_tells_what_forming_means(kubectl: Kubectl) -> None:
    explained = kubectl("explain", "rdzv.status.forming")
    assert explained.returncode == 0, explained.stderr
    _, _, description = explained.stdout.partition("DESCRIPTION:")
    assert description.split() == EXPLAINED_FORMING.split()  # how kubectl breaks lines is its own affair


@pytest.mark.parametrize("resource", ["rdzv", "rdzvm"])
def test_explain_leaves_no_field_without_a_description(kubectl: Kubectl, resource: str) -> None:
    explained = kubectl("explain", f"{resource}.spec")
    assert explained.returncode == 0, explained.stderr
    assert "<no description>" not in explained.stdout
