"""What is kept of objects: what the core reads, and nothing that people may make large."""

import json
from dataclasses import replace
from typing import Any

from kube_rendezvous.resources import parse_member, parse_rendezvous
from kube_rendezvous_core.observed.pod_reading import read_node, read_pod
from kube_rendezvous_operator.shell.watching.slim_objects import slim_custom_resource, slim_object
from unit.shell.objects import raw_member, raw_rendezvous

LARGE: dict[str, Any] = {
    "labels": {f"label-{number}": "x" * 63 for number in range(5000)},
    "annotations": {"a": "x" * 200_000, "example.com/b": "y" * 5000},
    "managedFields": [{"manager": "x" * 100_000}],
    "ownerReferences": [],
    "finalizers": ["example.com/" + "z" * 5000],
}


def test_a_member_and_a_rendezvous_read_the_same_when_they_are_slim() -> None:
    member = raw_member("a", slot="3")
    member["metadata"] |= LARGE | {"deletionTimestamp": "2026-03-01T12:00:00Z"}
    assert parse_member(slim_custom_resource(member)) == parse_member(member)
    rendezvous = raw_rendezvous(5)
    rendezvous["metadata"] |= LARGE
    rendezvous["metadata"]["annotations"] = {**LARGE["annotations"], "rendezvous.dev/trusted-places": "slot/3"}
    rendezvous["metadata"]["labels"] = {**LARGE["labels"], "app.kubernetes.io/managed-by": "me"}
    slim = slim_custom_resource(rendezvous)
    assert parse_rendezvous(slim) == replace(parse_rendezvous(rendezvous), finalizers=())  # the clients name them
    assert len(json.dumps(slim)) < 2000


def test_a_pod_and_a_node_keep_the_labels_that_count() -> None:
    pod: dict[str, Any] = {"metadata": {"name": "p", "namespace": "ns", "uid": "u", **LARGE}, "spec": {}, "status": {}}
    pod["metadata"]["labels"] = {**LARGE["labels"], "rendezvous.dev/name": "run"}
    pod["metadata"]["annotations"] = {**LARGE["annotations"], "kubectl.kubernetes.io/default-container": "trainer"}
    slim = slim_object(pod)
    assert read_pod(slim) == read_pod(pod)
    assert slim["metadata"]["labels"]["rendezvous.dev/name"] == "run"
    assert slim["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "trainer"
    assert len(json.dumps(slim["metadata"])) < 20_000
    node = {"metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "a"}}}
    assert read_node(slim_object(node)) == read_node(node)
