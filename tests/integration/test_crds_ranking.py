"""Which `spec.ranking` the API server takes, and what it says to the others."""

import json
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kube_rendezvous.resources import (
    API_VERSION,
    RENDEZVOUS_KIND,
    Ranking,
    RendezvousStatus,
    parse_rendezvous,
    status_to_json,
)

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
Apply = Callable[[str, str, Mapping[str, Any]], subprocess.CompletedProcess[str]]
Get = Callable[[str, str], dict[str, Any]]

FULL: dict[str, Any] = {
    "topologyKeys": ["topology.kubernetes.io/zone", "fabric.topograph.run/tier-2", "nvidia.com/gpu.clique", "rack"],
    "rankZero": {
        "avoid": {"matchLabels": {"cloud.google.com/gke-spot": "true"}},
        "prefer": {
            "matchExpressions": [
                {"key": "disk", "operator": "NotIn", "values": ["small", ""]},
                {"key": "example.com/control", "operator": "Exists"},
            ]
        },
    },
}


def expression(**fields: Any) -> dict[str, Any]:
    return {"rankZero": {"prefer": {"matchExpressions": [{"key": "disk", **fields}]}}}


@pytest.fixture
def validate(kubectl: Kubectl) -> Callable[[Any], subprocess.CompletedProcess[str]]:
    """Sends a Rendezvous with this ranking to the API server, which checks it and stores nothing."""

    def run(ranking: Any) -> subprocess.CompletedProcess[str]:
        manifest = {
            "apiVersion": API_VERSION,
            "kind": RENDEZVOUS_KIND,
            "metadata": {"name": "run"},
            "spec": {"minNodes": 2, "ranking": ranking},
        }
        return kubectl("apply", "--dry-run=server", "-f", "-", "-n", "default", stdin=json.dumps(manifest))

    return run


@pytest.mark.parametrize(
    ("ranking", "sentence"),
    [
        (
            {"topologyKeys": ["zone", "rack", "zone"]},
            "topologyKeys names a label twice: name each level once, outermost first",
        ),
        (
            {"topologyKeys": ["zone=a"]},
            '"zone=a" is not the key of a label: write it as kubectl get nodes --show-labels does,'
            " for example topology.kubernetes.io/zone",
        ),
        ({"topologyKeys": [""]}, "spec.ranking.topologyKeys[0] in body should be at least 1 chars long"),
        ({"topologyKeys": [f"k{i}" for i in range(9)]}, "spec.ranking.topologyKeys: Too many: 9: must have at most 8"),
        (
            {"rankZero": {"avoid": {}}},
            "spec.ranking.rankZero.avoid: Invalid value: an empty label selector matches every node:"
            " write matchLabels or matchExpressions",
        ),
        ({"rankZero": {"prefer": {"matchLabels": {}}}}, "an empty label selector matches every node"),
        ({"rankZero": {"avoid": {"spot": "yes"}}}, 'unknown field "spec.ranking.rankZero.avoid.spot"'),
        (
            {"preset": "GKE", "topologyKeys": ["rack"]},
            "spec.ranking.preset: Invalid value: preset stands for topologyKeys: name one of the two",
        ),
        ({"preset": "Azure"}, 'Unsupported value: "Azure": supported values: "Topograph", "NVIDIA", "GKE", "EKS"'),
        (expression(operator="In"), "operator In compares with values: name at least one"),
        (expression(operator="NotIn", values=[]), "operator NotIn compares with values: name at least one"),
        (expression(operator="Exists", values=["a"]), "operator Exists compares with no value: leave values out"),
        (
            expression(operator="Gt", values=["1"]),
            'Unsupported value: "Gt": supported values: "In", "NotIn", "Exists", "DoesNotExist"',
        ),
        (expression(), "spec.ranking.rankZero.prefer.matchExpressions[0].operator: Required value"),
        ({"rankZero": {"avoid": {"matchLabels": {"spot": "x" * 64}}}}, "Too long"),
    ],
)
def test_a_wrong_ranking_is_refused_with_a_sentence_that_says_what_to_change(
    validate: Callable[[Any], subprocess.CompletedProcess[str]], ranking: dict[str, Any], sentence: str
) -> None:
    refused = validate(ranking)
    assert refused.returncode != 0
    assert sentence in refused.stderr


@pytest.mark.parametrize(
    "ranking", [{}, {"topologyKeys": []}, {"preset": "EKS"}, {"preset": "EKS", "topologyKeys": []}, FULL]
)
def test_a_right_ranking_is_taken(
    validate: Callable[[Any], subprocess.CompletedProcess[str]], ranking: dict[str, Any]
) -> None:
    taken = validate(ranking)
    assert taken.returncode == 0, taken.stderr


def test_a_ranking_and_the_longest_domains_come_back_as_they_were_written(
    kubectl: Kubectl, namespace: str, apply: Apply, get: Get
) -> None:
    created = apply(RENDEZVOUS_KIND, "run", {"minNodes": 2, "ranking": FULL})
    assert created.returncode == 0, created.stderr
    longest = "/".join(["x" * 63] * 8)
    status = RendezvousStatus(ranks=tuple(f"{rank:0253d}" for rank in range(1000)), domains=(longest,) * 1000)
    body = {**get("rdzv", "run"), "status": status_to_json(status)}
    written = kubectl("replace", "--subresource=status", "-f", "-", "-n", namespace, stdin=json.dumps(body))
    assert written.returncode == 0, written.stderr
    read = parse_rendezvous(get("rdzv", "run"))
    assert read.status == status
    assert read.spec.ranking != Ranking()
    assert read.spec.ranking.topology_keys == tuple(FULL["topologyKeys"])
