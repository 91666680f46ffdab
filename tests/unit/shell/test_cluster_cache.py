"""What the operator remembers of pods and nodes, and whom their changes wake."""

import logging
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError, Connection
from kube_rendezvous_core import OwnerRef
from kube_rendezvous_operator.shell.watching import cluster_cache
from kube_rendezvous_operator.shell.watching.cluster_cache import NodeCache, PodCache
from kube_rendezvous_operator.shell.watching.member_cache import Key

RUN: Key = ("team-a", "run")
OTHER: Key = ("team-a", "other")


def pod(uid: str, name: str = "run", phase: str = "Running", **meta: Any) -> dict[str, Any]:
    """A pod with the label."""
    labels = {"rendezvous.dev/name": name}
    return {
        "metadata": {"name": f"pod-{uid}", "namespace": "team-a", "uid": uid, "labels": labels, **meta},
        "spec": {"containers": [{"name": "trainer"}]},
        "status": {"phase": phase},
    }


def ending(uid: str) -> dict[str, Any]:
    """The last version of a pod that was deleted."""
    return pod(uid, deletionTimestamp="2026-03-01T12:00:00Z", deletionGracePeriodSeconds=0)


def node(name: str, *taints: str, heartbeat: int = 0, **labels: str) -> dict[str, Any]:
    """A node that reported at its n-th heartbeat."""
    return {
        "metadata": {"name": name, "labels": labels, "resourceVersion": str(heartbeat)},
        "spec": {"taints": [{"key": key} for key in taints]},
        "status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": f"2026-03-01T12:00:{heartbeat:02}Z"}]},
    }


@pytest.fixture
def connection() -> Connection:
    """Never used: the caches are told by the test what their watch would tell them."""
    return object()  # type: ignore[return-value]


@pytest.fixture
def woken() -> list[Key]:
    """Every key that was woken."""
    return []


@pytest.fixture
def pods(connection: Connection, woken: list[Key]) -> PodCache:
    """An informer for the pods of the whole cluster."""
    return PodCache(connection, None, woken.append)


@pytest.fixture
def wakes() -> list[str]:
    """One entry for each time that all were woken."""
    return []


@pytest.fixture
def nodes(connection: Connection, wakes: list[str]) -> NodeCache:
    """An informer for nodes."""
    return NodeCache(connection, lambda: wakes.append("all"))


# Pods -------------------------------------------------------------------------------------------------------------


def test_a_pod_belongs_to_the_rendezvous_that_its_label_names(pods: PodCache, woken: list[Key]) -> None:
    pods.relisted([pod("1"), pod("2"), pod("3", "other")])
    assert (set(pods.pods(RUN)), set(pods.pods(OTHER)), set(woken)) == ({"1", "2"}, {"3"}, {RUN, OTHER})
    assert pods.pods(("team-b", "run")) == {}
    assert pods.synced.is_set()


def test_an_unchanged_pod_wakes_nobody(pods: PodCache, woken: list[Key]) -> None:
    pods.relisted([pod("1")])
    woken.clear()
    pods.changed(pod("1", resourceVersion="9", annotations={"note": "nobody reads this"}))
    pods.relisted([pod("1")])
    assert woken == []
    pods.changed(pod("1", phase="Failed"))
    assert woken == [RUN]


def test_the_end_of_a_pod_is_remembered(pods: PodCache, woken: list[Key]) -> None:
    pods.relisted([pod("1"), pod("2")])
    woken.clear()
    pods.removed(ending("1"))
    assert (set(pods.pods(RUN)), "1" in pods.gone("team-a"), woken) == ({"2"}, True, [RUN])
    assert "2" not in pods.gone("team-a")


def test_the_end_of_an_unknown_pod_is_nothing(pods: PodCache, woken: list[Key]) -> None:
    pods.removed(ending("1"))
    assert (woken, "1" in pods.gone("team-a")) == ([], False)


def test_a_relist_finds_who_vanished_while_the_watch_was_cut(pods: PodCache, woken: list[Key]) -> None:
    pods.relisted([pod("1"), pod("2", "other")])
    woken.clear()
    pods.relisted([pod("2", "other")])
    assert (pods.pods(RUN), "1" in pods.gone("team-a"), woken) == ({}, True, [RUN])


def test_a_pod_that_loses_its_label_is_forgotten_but_not_gone(pods: PodCache, woken: list[Key]) -> None:
    pods.relisted([pod("1")])
    woken.clear()
    pods.removed(pod("1"))  # so the API server tells a watch by label: the object as it was, and not being deleted
    assert (pods.pods(RUN), "1" in pods.gone("team-a"), woken) == ({}, False, [RUN])


def test_a_pod_whose_label_is_changed_belongs_to_the_other_rendezvous(pods: PodCache, woken: list[Key]) -> None:
    pods.relisted([pod("1")])
    woken.clear()
    pods.changed(pod("1", "other"))
    assert (pods.pods(RUN), set(pods.pods(OTHER)), set(woken)) == ({}, {"1"}, {RUN, OTHER})
    pods.removed(ending("1"))
    assert (pods.pods(RUN), pods.pods(OTHER), "1" in pods.gone("team-a")) == ({}, {}, True)


def test_the_memory_of_gone_pods_is_bounded(pods: PodCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_cache, "_GONE_REMEMBERED", 3)
    pods.relisted([pod(str(n)) for n in range(5)])
    pods.relisted([])
    assert [uid for uid in "01234" if uid in pods.gone("team-a")] == ["2", "3", "4"]


# Nodes ------------------------------------------------------------------------------------------------------------


def test_nodes_are_unknown_until_they_were_listed(nodes: NodeCache) -> None:
    assert nodes.nodes() is None
    nodes.relisted([])
    assert nodes.nodes() == {}


def test_a_nodes_heartbeat_wakes_nobody(nodes: NodeCache, wakes: list[str]) -> None:
    nodes.relisted([node("n1")])
    wakes.clear()
    for beat in range(1, 9):
        nodes.changed(node("n1", heartbeat=beat))
    assert wakes == []


def test_a_draining_taint_wakes_everybody(nodes: NodeCache, wakes: list[str]) -> None:
    nodes.relisted([node("n1")])
    wakes.clear()
    nodes.changed(node("n1", "karpenter.sh/disrupted"))
    known = nodes.nodes()
    assert known is not None
    assert (known["n1"].draining, wakes) == ("karpenter.sh/disrupted", ["all"])


def test_the_end_of_a_node_is_remembered_until_one_of_its_name_comes(nodes: NodeCache, wakes: list[str]) -> None:
    nodes.relisted([node("n1"), node("n2")])
    nodes.removed(node("n1"))
    nodes.relisted([node("n3")])
    known = nodes.nodes()
    assert known is not None
    assert {name: it.gone for name, it in known.items()} == {"n1": True, "n2": True, "n3": False}
    nodes.changed(node("n1"))
    assert not (nodes.nodes() or {})["n1"].gone
    assert len(wakes) == 4


@pytest.mark.parametrize("how", ["by events", "by a list"])
def test_the_memory_of_gone_nodes_is_bounded(nodes: NodeCache, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(cluster_cache, "_GONE_NODES_REMEMBERED", 3)
    nodes.relisted([node(f"n{n}") for n in range(6)])
    before = nodes.nodes()
    if how == "by events":
        for n in range(5):
            nodes.removed(node(f"n{n}"))
    else:
        nodes.relisted([node("n5")])
    known = nodes.nodes()
    assert known is not None
    assert {name: it.gone for name, it in known.items()} == {"n2": True, "n3": True, "n4": True, "n5": False}
    assert before is not None
    assert "n0" in before, "who is deciding meanwhile loses nothing of what it looks at"


def test_a_node_that_came_back_is_not_forgotten_as_a_gone_one(
    nodes: NodeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_cache, "_GONE_NODES_REMEMBERED", 1)
    nodes.relisted([node("n1"), node("n2")])
    nodes.removed(node("n1"))
    nodes.changed(node("n1"))
    nodes.removed(node("n2"))
    assert {name: it.gone for name, it in (nodes.nodes() or {}).items()} == {"n1": False, "n2": True}


# Without the right ------------------------------------------------------------------------------------------------

FORBIDDEN = ApiRefusedError("GET /api/v1/pods", 403, "Forbidden", 'User "operator" cannot list resource "pods"')


def test_a_refused_watch_says_so_once(pods: PodCache, nodes: NodeCache, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            pods.troubled(FORBIDDEN)
        nodes.troubled(FORBIDDEN)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "a lost pod is noticed by its heartbeat only" in said[0]
    assert 'cannot list resource "pods"' in said[0]
    assert "Allow the operator list and watch on pods" in said[0]
    assert said[1].startswith("Nodes cannot be watched")
    assert "Allow the operator list and watch on nodes (the chart's value topology.enabled)" in said[1]


def test_nodes_that_are_withheld_are_not_asked_for_and_that_is_said(
    connection: Connection, wakes: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    nodes = NodeCache(connection, lambda: wakes.append("all"), withheld=True)
    with caplog.at_level(logging.WARNING):
        nodes.start()
    assert not nodes.thread.started
    assert (nodes.refused, nodes.settled.is_set(), nodes.nodes()) == (True, True, None)
    assert [record.getMessage() for record in caplog.records] == [
        "Nodes are not watched (--no-nodes), so ranks do not follow the topology and drained nodes are noticed by "
        "their pods only. Allow the operator list and watch on nodes (the chart's value topology.enabled) and start "
        "the operator without --no-nodes"
    ]
    nodes.stop()


def test_an_api_server_that_is_away_is_no_refusal(pods: PodCache, caplog: pytest.LogCaptureFixture) -> None:
    pods.relisted([pod("1")])
    with caplog.at_level(logging.WARNING):
        pods.troubled(ApiUnavailableError("GET /api/v1/pods", 0, "", "no answer"))
    assert (caplog.records, set(pods.pods(RUN))) == ([], {"1"})


def test_who_may_not_see_nodes_wakes_all_once_so_that_it_is_said(nodes: NodeCache, wakes: list[str]) -> None:
    assert not nodes.settled.is_set()
    nodes.troubled(ApiRefusedError("GET /api/v1/nodes", 403, "Forbidden", "may not"))
    nodes.troubled(ApiRefusedError("GET /api/v1/nodes", 403, "Forbidden", "may not"))
    assert (nodes.refused, nodes.settled.is_set(), wakes) == (True, True, ["all"])
    nodes.relisted([])
    assert not nodes.refused


def test_an_api_server_that_is_away_refuses_nothing(nodes: NodeCache, wakes: list[str]) -> None:
    nodes.troubled(ApiUnavailableError("GET /api/v1/nodes", 503, "", "away"))
    assert (nodes.refused, wakes) == (False, [])


def test_who_begins_while_the_api_server_is_away_waits_for_pods_rather_than_decide_without_them(pods: PodCache) -> None:
    pods.troubled(ApiUnavailableError("GET /api/v1/pods", 503, "", "away"))
    assert not pods.settled.is_set(), "decisions begin, blind to pods"
    pods.relisted([pod("1")])
    assert pods.settled.is_set()


# What made pods ------------------------------------------------------------------------------------------------------


def made_by(uid: str, name: str, **meta: Any) -> dict[str, Any]:
    """A pod of that StatefulSet."""
    return pod(uid, ownerReferences=[{"kind": "StatefulSet", "name": name, "controller": True}], **meta)


def test_what_made_pods_is_remembered_when_they_are_gone(pods: PodCache) -> None:
    pods.relisted([made_by("a", "trainer"), made_by("b", "trainer"), pod("c")])
    assert pods.owners(RUN) == (OwnerRef("StatefulSet", "trainer"),)
    pods.relisted([])
    assert (pods.owners(RUN), pods.owners(OTHER)) == ((OwnerRef("StatefulSet", "trainer"),), ())


def test_what_started_the_job_under_many_names_is_not_remembered_for_ever(pods: PodCache) -> None:
    for number in range(20):
        pods.changed(made_by(f"uid-{number}", f"trainer-{number}"))
    assert len(pods.owners(RUN)) == 8
    assert pods.owners(RUN)[-1] == OwnerRef("StatefulSet", "trainer-19")


def test_the_version_changes_with_the_pods_and_with_nothing_else(pods: PodCache) -> None:
    versions = [pods.version(RUN)]
    for tell in (
        lambda: pods.changed(made_by("a", "trainer")),
        lambda: pods.changed(made_by("a", "trainer", phase="Failed")),
        lambda: pods.relisted([]),
    ):
        tell()
        versions.append(pods.version(RUN))
    assert len(set(versions)) == 4
    pods.changed(pod("other", "other"))
    assert pods.version(RUN) == versions[-1]


# Objects that cannot be read -----------------------------------------------------------------------------------------


def test_a_pod_that_cannot_be_read_hides_no_other(pods: PodCache, caplog: pytest.LogCaptureFixture) -> None:
    odd = pod("odd")
    odd["status"] = ["no status"]
    pods.relisted([odd, pod("1")])
    assert set(pods.pods(RUN)) == {"1"}
    pods.changed(odd)
    pods.changed(pod("2"))
    assert set(pods.pods(RUN)) == {"1", "2"}
    pods.changed({**pod("2"), "status": ["no status"]})
    assert set(pods.pods(RUN)) == {"1"}, "nobody knows what has become of it"
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "One of the pods, team-a/pod-odd, cannot be read and is ignored",
        "One of the pods, team-a/pod-2, cannot be read and is ignored",
    ]


def test_a_node_that_cannot_be_read_hides_no_other(nodes: NodeCache) -> None:
    odd = {**node("odd"), "spec": ["no spec"]}
    odd["metadata"]["uid"] = "u"
    nodes.relisted([odd, node("a")])
    nodes.changed(odd)
    nodes.changed(node("b"))
    known = nodes.nodes()
    assert known is not None
    assert set(known) == {"a", "b"}
