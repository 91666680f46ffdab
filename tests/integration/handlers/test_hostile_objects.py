"""Objects with anything in them that the API server takes: no traceback, and none of them is stuck afterwards."""

import contextlib
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from integration.handlers.attacks import HOSTILE_OBJECTS
from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import MEMBER_PLURAL, RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path, object_path
from rendezvous_local.operator_process import OperatorProcess

pytestmark = pytest.mark.timeout(1500)

TIMES = [
    *("0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999Z"),
    *("2026-03-01T12:00:00+14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
    *("2026-03-01T12:00:00+99:99", "2026-03-01t12:00:00z", "1969-12-31T23:59:59Z", "2026-03-01T12:00:00.123Z"),
]
TEXTS = [
    "",
    "\x1b[2J",
    "a\nb",
    "x" * 60,
    "'; id",
    "../..",
    "\u202e",
    "{}",
    "%s%n",
    "\ud7ff",
    "$(id)",
    "-o",
    "0",
    "None",
]
RUNS = 20


@pytest.fixture(autouse=True)
def watched() -> None:
    """What is written here by hand keeps no invariant."""


def hostile_status(rng: random.Random) -> dict[str, Any]:
    """A status as only somebody with the right to write it could."""

    def time() -> str:
        return rng.choice(TIMES)

    def text() -> str:
        return rng.choice(TEXTS)

    names = [f"m-{number}" for number in range(rng.randint(0, 4))]
    status: dict[str, Any] = {
        "observedGeneration": rng.choice([0, 1, 99]),
        "state": rng.choice(["Waiting", "Active", "Closed", "Reforming", "LastCall"]),
        "round": rng.choice([0, 1, 2**40]),
        "worldSize": len(names),
        "ranks": names,
        "slots": [text()[:60] for _ in names],
        "incarnations": ["x"] * rng.randint(0, 5),
        "heartbeatSeconds": rng.choice([1, 5, 60]),
        "recentLosses": [{"place": f"slot/{text()[:60]}", "member": "m", "reason": "HeartbeatLost", "at": time()}],
        "quarantined": [{"place": "node/n", "since": time(), "message": text()}],
    }
    if rng.random() < 0.5:
        status["forming"] = {
            "round": rng.choice([1, 2, 2**40 + 1]),
            "reason": "HeartbeatLost",
            "message": text(),
            "interrupts": rng.random() < 0.5,
            "since": time(),
            "deadline": time(),
            "arrived": 0,
            "required": 1,
            "waitingFor": [],
        }
    if rng.random() < 0.2:
        status["closed"] = {"by": text(), "at": time(), "reason": "ClosedByMember", "message": text()}
    return status


def hostile_member(rng: random.Random, run: Run, uid: str, number: int) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "rendezvous": rng.choice([run.name, run.name, "nobodys"]),
        "rendezvousUID": rng.choice([uid, uid, "another"]),
        "address": rng.choice(["10.0.0.1", "::1", "169.254.169.254", "a.b", "%", "0.0.0.0"]),
        "port": rng.choice([1, 29500, 65535]),
        "afterRound": rng.choice([0, 1, 2**53 - 1]),
        "renewTime": rng.choice(TIMES),
        "slot": rng.choice(TEXTS)[:60],
        "nodeName": rng.choice(TEXTS),
        "podUID": rng.choice(["", "pod-1", "pod-2"]),
        "leaving": rng.random() < 0.2,
        "preparing": rng.random() < 0.2,
        "closeRequested": rng.random() < 0.1,
        "closeReason": rng.choice(TEXTS),
    }
    metadata: dict[str, Any] = {"name": rng.choice([f"h-{number}", f"m-{number % 4}"])}
    if rng.random() < 0.1:
        metadata["finalizers"] = ["example.com/keep"]
    return {"apiVersion": "rendezvous.dev/v1alpha1", "kind": "RendezvousMember", "metadata": metadata, "spec": spec}


def test_no_object_makes_a_traceback_and_none_is_stuck(
    operator: OperatorProcess, operator_log: Path, namespace: str, anybody: Connection, runs: Callable[[str], Run]
) -> None:
    made = [runs(f"run-{number}").create(minNodes=1 + number % 3, maxNodes=4) for number in range(RUNS)]
    uids = {run.name: found.uid for run in made if (found := run.get()) is not None}

    def write(number: int) -> str:
        rng = random.Random(number)
        run = rng.choice(made)
        try:
            if rng.random() < 0.5:
                path = object_path(RENDEZVOUS_PLURAL, namespace, run.name) + "/status"
                body = {"status": hostile_status(rng)}
                anybody.request("PATCH", path, body=body, content_type=MERGE_PATCH, timeout=60)
            else:
                body = hostile_member(rng, run, uids[run.name], number)
                anybody.request("POST", collection_path(MEMBER_PLURAL, namespace), body=body, timeout=60)
        except ApiRefusedError:
            return "refused"
        except ApiFailureError:
            return "not carried out"
        return "taken"

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(write, range(HOSTILE_OBJECTS)))
    assert answers.count("taken") > HOSTILE_OBJECTS / 3
    for run in made:
        run.change(minNodes=1, maxNodes=3, lastCallSeconds=1)

    def all_observed() -> bool:
        seen = [run.get() for run in made]
        return all(one is not None and one.status.observed_generation == one.generation for one in seen)

    eventually(all_observed, "each is looked at again", 120)
    assert "Traceback" not in operator_log.read_text()
    assert "could not be reconciled" not in operator_log.read_text()
    assert operator.page("/livez") == "alive\n"
    counts = {kind: answers.count(kind) for kind in ("taken", "refused", "not carried out")}
    sys.stdout.write(f"\n{HOSTILE_OBJECTS} hostile objects: {counts}; no traceback, none stuck\n")
    query = {"fieldSelector": "metadata.namespace=" + namespace}
    for item in anybody.request("GET", collection_path(MEMBER_PLURAL, namespace), query=query)["items"]:
        path = object_path(MEMBER_PLURAL, namespace, item["metadata"]["name"])
        with contextlib.suppress(ApiRefusedError):  # the operator has deleted it meanwhile
            anybody.request("PATCH", path, body={"metadata": {"finalizers": None}}, content_type=MERGE_PATCH)
