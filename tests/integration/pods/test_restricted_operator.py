"""An operator that may see neither pods nor nodes goes on by heartbeats, and says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects
from integration.pods.pod_run import PodRun, eventually
from kube_rendezvous.membership.identity import Identity
from rendezvous_local.operator_process import OperatorProcess

LIMIT = 60.0

RIGHTS: list[dict[str, Any]] = [
    {"apiGroups": ["rendezvous.dev"], "resources": ["rendezvous"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["rendezvous.dev"], "resources": ["rendezvous/status"], "verbs": ["update"]},
    {"apiGroups": ["rendezvous.dev"], "resources": ["rendezvousmembers"], "verbs": ["get", "list", "watch", "delete"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]


def test_without_the_right_to_see_pods_and_nodes_heartbeats_decide(
    run: PodRun,
    pods: PodObjects,
    member: Callable[[Identity], PodMember],
    kubeconfig_for: Callable[..., Path],
    namespace: str,
    tmp_path: Path,
) -> None:
    log = tmp_path / "operator.log"
    kubeconfig = kubeconfig_for("operator", *RIGHTS)
    with OperatorProcess(kubeconfig, log=log, arguments=["--namespace", namespace]) as operator:
        run.create(minNodes=2, maxNodes=3, heartbeatSeconds=1)
        members = [member(pods.run(name, "run")) for name in ("trainer-0", "trainer-1", "trainer-2")]
        assert sorted(join.result(LIMIT).rank for join in [one.join() for one in members]) == [0, 1, 2]
        *survivors, dead = members
        dead.fall_silent()
        pods.delete("trainer-2", grace_seconds=0)
        assert all(one.wait_until_told(LIMIT) for one in survivors)
        forming = run.status.forming
        assert forming is not None
        assert forming.reason == "HeartbeatLost"
        assert sorted(join.result(LIMIT).rank for join in [one.join() for one in survivors]) == [0, 1]
        for sentence in (
            "Pods cannot be watched, so a lost pod is noticed by its heartbeat only",
            "Nodes cannot be watched, so ranks do not follow the topology",
        ):
            eventually(lambda sentence=sentence: sentence in log.read_text(), sentence)  # type: ignore[misc]
            assert log.read_text().count(sentence) == 1
        assert "Allow the operator list and watch on nodes (the chart's value topology.enabled)" in log.read_text()
        assert operator.restarts == 0
        run.close()


def form_a_round_that_wishes_for_topology(
    run: PodRun, pods: PodObjects, member: Callable[[Identity], PodMember]
) -> None:
    """Until the condition says that the wish cannot be met."""
    run.create(minNodes=2, heartbeatSeconds=1, ranking={"topologyKeys": ["topology.kubernetes.io/zone"]})
    joins = [member(pods.run(name, "run")).join() for name in ("trainer-0", "trainer-1")]
    assert sorted(join.result(LIMIT).rank for join in joins) == [0, 1]
    eventually(lambda: any(c.type == "TopologyUnknown" for c in run.status.conditions), "it is said")


def test_a_wish_for_topology_without_the_right_to_see_nodes_is_said_in_a_condition_and_the_round_is_formed(
    run: PodRun,
    pods: PodObjects,
    member: Callable[[Identity], PodMember],
    kubeconfig_for: Callable[..., Path],
    namespace: str,
    tmp_path: Path,
) -> None:
    kubeconfig = kubeconfig_for("operator", *RIGHTS)
    log = tmp_path / "operator.log"
    with OperatorProcess(kubeconfig, log=log, arguments=["--namespace", namespace]) as operator:
        form_a_round_that_wishes_for_topology(run, pods, member)
        (condition,) = (c for c in run.status.conditions if c.type == "TopologyUnknown")
        assert (condition.status, condition.reason) == ("True", "NodesNotVisible")
        assert "topologyKeys topology.kubernetes.io/zone" in condition.message
        assert "list and watch on nodes" in condition.message
        assert operator.restarts == 0
        assert 'kube_rendezvous_watch_restarts_total{reason="refused",resource="nodes"}' in operator.page("/metrics")
        run.close()


def test_an_operator_that_is_told_not_to_watch_nodes_asks_for_none_and_says_so(
    run: PodRun,
    pods: PodObjects,
    member: Callable[[Identity], PodMember],
    kubeconfig_for: Callable[..., Path],
    namespace: str,
    tmp_path: Path,
) -> None:
    kubeconfig = kubeconfig_for("operator", *RIGHTS)
    log = tmp_path / "operator.log"
    with OperatorProcess(kubeconfig, log=log, arguments=["--namespace", namespace, "--no-nodes"]) as operator:
        form_a_round_that_wishes_for_topology(run, pods, member)
        metrics = operator.page("/metrics")
        assert 'kube_rendezvous_watch_restarts_total{reason="refused",resource="pods"}' in metrics
        assert 'resource="nodes"' not in metrics
        assert log.read_text().count("Nodes are not watched (--no-nodes)") == 1
        run.close()
