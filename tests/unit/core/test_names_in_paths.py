"""Names that others write lead no request elsewhere: neither the operator's nor those of an administrator's command."""

from typing import Any, cast

import pytest

from kube_rendezvous.cluster import Connection
from kube_rendezvous_core.observed.pod_reading import owner_of
from kubectl_rendezvous.reading import Reader
from unit.scripted_connection import ScriptedConnection

NO_NAMES = [
    *("../../../../../api/v1/namespaces/kube-system/secrets/token", "x/status", "?watch=1", "x?watch=1", "x#y", ".."),
    *("a..b", "", " ", "x\n", "X", "%2e%2e", "x" * 254),
]


@pytest.mark.parametrize("name", NO_NAMES)
def test_an_owner_that_there_cannot_be_is_not_asked_for(name: str) -> None:
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": "u", "controller": True}
    meta: dict[str, Any] = {"name": "pod", "ownerReferences": [reference]}
    assert owner_of(meta) is None
    assert owner_of({**meta, "ownerReferences": [{**reference, "name": "a-1.b"}]}) is not None


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_node_that_there_cannot_be_is_not_asked_for(name: str) -> None:
    connection = ScriptedConnection({("GET", "/api/v1/nodes/worker-1"): [{"metadata": {"name": "worker-1"}}]})
    reader = Reader(cast(Connection, connection), "ns")
    nodes = reader.nodes([name, "worker-1"], [])
    assert [asked.path for asked in connection.asked] == ["/api/v1/nodes/worker-1"]
    assert nodes is not None
    assert nodes[name].gone
