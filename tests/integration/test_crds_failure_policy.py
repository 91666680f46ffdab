"""Which `spec.standby` and `spec.failurePolicy` the API server takes, and what it says to the others."""

import json
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from kube_rendezvous.resources import (
    API_VERSION,
    RENDEZVOUS_KIND,
    Closed,
    RendezvousStatus,
    parse_rendezvous,
    status_to_json,
)
from kube_rendezvous.resources.failure_policy import (
    FailurePolicy,
    NoProgress,
    Quarantine,
    QuarantinedPlace,
    RecentLoss,
)

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
Apply = Callable[[str, str, Mapping[str, Any]], subprocess.CompletedProcess[str]]
Get = Callable[[str, str], dict[str, Any]]
Validate = Callable[[Mapping[str, Any]], subprocess.CompletedProcess[str]]

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)

FULL: dict[str, Any] = {
    "standby": {"max": 0},
    "failurePolicy": {
        "quarantine": {"losses": 3, "windowSeconds": 600},
        "maxRounds": 1000,
        "noProgress": {"rounds": 10, "withinSeconds": 604800},
    },
}


def quarantine(**fields: Any) -> dict[str, Any]:
    return {"failurePolicy": {"quarantine": {"losses": 3, "windowSeconds": 600, **fields}}}


def no_progress(**fields: Any) -> dict[str, Any]:
    return {"failurePolicy": {"noProgress": {"rounds": 3, "withinSeconds": 600, **fields}}}


@pytest.fixture
def validate(kubectl: Kubectl) -> Validate:
    """Sends a Rendezvous with these fields to the API server, which checks it and stores nothing."""

    def run(spec: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        manifest = {
            "apiVersion": API_VERSION,
            "kind": RENDEZVOUS_KIND,
            "metadata": {"name": "run"},
            "spec": {"minNodes": 2, **spec},
        }
        return kubectl("apply", "--dry-run=server", "-f", "-", "-n", "default", stdin=json.dumps(manifest))

    return run


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"standby": {"max": -1}},
            "spec.standby.max: Invalid value: -1: spec.standby.max in body should be greater than or equal to 0",
        ),
        (
            {"standby": {"max": 10001}},
            "spec.standby.max: Invalid value: 10001: spec.standby.max in body should be less than or equal to 10000",
        ),
        ({"standby": 2}, "spec.standby in body must be of type object"),
        ({"standby": {"maximum": 2}}, 'unknown field "spec.standby.maximum"'),
        (
            quarantine(losses=0),
            "spec.failurePolicy.quarantine.losses in body should be greater than or equal to 1",
        ),
        (quarantine(losses=21), "spec.failurePolicy.quarantine.losses in body should be less than or equal to 20"),
        (
            quarantine(windowSeconds=0),
            "spec.failurePolicy.quarantine.windowSeconds in body should be greater than or equal to 1",
        ),
        (
            quarantine(windowSeconds=604801),
            "spec.failurePolicy.quarantine.windowSeconds in body should be less than or equal to 604800",
        ),
        (
            {"failurePolicy": {"quarantine": {"losses": 3}}},
            "spec.failurePolicy.quarantine.windowSeconds: Required value",
        ),
        (
            {"failurePolicy": {"quarantine": {"windowSeconds": 3}}},
            "spec.failurePolicy.quarantine.losses: Required value",
        ),
        (
            {"failurePolicy": {"maxRounds": 0}},
            "spec.failurePolicy.maxRounds in body should be greater than or equal to 1",
        ),
        (
            no_progress(rounds=1),
            "spec.failurePolicy.noProgress.rounds in body should be greater than or equal to 2",
        ),
        (no_progress(rounds=11), "spec.failurePolicy.noProgress.rounds in body should be less than or equal to 10"),
        (
            {"failurePolicy": {"noProgress": {"rounds": 3}}},
            "spec.failurePolicy.noProgress.withinSeconds: Required value",
        ),
        ({"failurePolicy": {"quarantines": {}}}, 'unknown field "spec.failurePolicy.quarantines"'),
    ],
)
def test_a_wrong_policy_is_refused_with_a_sentence_that_says_what_to_change(
    validate: Validate, spec: dict[str, Any], sentence: str
) -> None:
    refused = validate(spec)
    assert refused.returncode != 0
    assert sentence in refused.stderr


@pytest.mark.parametrize("spec", [{"standby": {}}, {"failurePolicy": {}}, {"standby": {"max": 10000}}, FULL])
def test_a_right_policy_is_taken(validate: Validate, spec: dict[str, Any]) -> None:
    taken = validate(spec)
    assert taken.returncode == 0, taken.stderr


def test_the_policies_and_the_longest_lists_come_back_as_they_were_written(
    kubectl: Kubectl, namespace: str, apply: Apply, get: Get
) -> None:
    created = apply(RENDEZVOUS_KIND, "run", {"minNodes": 2, **FULL})
    assert created.returncode == 0, created.stderr
    names = tuple(f"{i:0253d}" for i in range(100))
    place = "node/" + "x" * 253
    status = RendezvousStatus(
        standby=200,
        spares=names,
        surplus=names,
        opened_after=2**53 - 1,
        recent_losses=(RecentLoss(place, names[0], "R" * 64, NOW),) * 100,
        quarantined=(QuarantinedPlace(place, NOW, "m" * 1024),) * 50,
        closed=Closed("spec.failurePolicy", NOW, "ClosedByFailurePolicy", "it failed", interrupts=True),
    )
    body = {**get("rdzv", "run"), "status": status_to_json(status)}
    written = kubectl("replace", "--subresource=status", "-f", "-", "-n", namespace, stdin=json.dumps(body))
    assert written.returncode == 0, written.stderr
    read = parse_rendezvous(get("rdzv", "run"))
    assert read.status == status
    assert read.spec.max_spares == 0
    assert read.spec.failure_policy == FailurePolicy(Quarantine(3, 600), 1000, NoProgress(10, 604800))


def test_places_are_trusted_by_the_annotation(kubectl: Kubectl, namespace: str, apply: Apply, get: Get) -> None:
    apply(RENDEZVOUS_KIND, "run", {"minNodes": 2})
    annotate = ("annotate", "rdzv", "run", "-n", namespace, "--overwrite")
    assert kubectl(*annotate, "rendezvous.dev/trusted-places=node/gpu-7,slot/3").returncode == 0
    assert parse_rendezvous(get("rdzv", "run")).trusted_places == {"node/gpu-7", "slot/3"}
    assert kubectl(*annotate, "rendezvous.dev/trusted-places-").returncode == 0
    assert parse_rendezvous(get("rdzv", "run")).trusted_places == set()
