"""What the operator tells of itself: probes, metrics with real content after a round, and logs."""

import json
from collections.abc import Callable
from pathlib import Path

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from integration.replicas.replicas import LIMIT, Replicas, sample, until_leading
from integration.replicas.test_takeover import lose
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

Runs = Callable[[str], Run]
MakeNode = Callable[..., Node]

IDLE_BYTES = 120_000_000


def test_after_a_round_and_a_loss_the_metrics_tell_of_both(
    cluster: Cluster, namespace: str, runs: Runs, node: MakeNode, tmp_path: Path
) -> None:
    log = tmp_path / "operator.log"
    with OperatorProcess(cluster.kubeconfig, log=log, arguments=["--namespace", namespace]) as operator:
        run = runs("run").create(minNodes=3)
        nodes = [node(run, 3, 3) for _ in range(3)]
        meet(*nodes)
        spare = node(run, 3, 3)
        spare.join()
        eventually(lambda: sample(operator, 'kube_rendezvous_members{state="standby"}') == 1, "a spare", LIMIT)
        assert sample(operator, 'kube_rendezvous_members{state="ranked"}') == 3
        assert sample(operator, 'kube_rendezvous_rendezvous{state="Active"}') == 1
        assert sample(operator, 'kube_rendezvous_rounds_total{outcome="formed"}') == 1
        assert sample(operator, "kube_rendezvous_round_duration_seconds_count") == 1
        assert sample(operator, "kube_rendezvous_loss_to_told_seconds_count") == 0
        lose(run, nodes[2])
        eventually(lambda: nodes[0].told and nodes[1].told, "the survivors are told", LIMIT)
        # They may hear of the write before the operator has the answer to it, with which it counts.
        eventually(
            lambda: sample(operator, "kube_rendezvous_loss_to_told_seconds_count") == 1, "the loss is counted", LIMIT
        )
        assert 0 < sample(operator, "kube_rendezvous_loss_to_told_seconds_sum") < LIMIT
        assert sample(operator, "kube_rendezvous_reconcile_seconds_count") >= 2
        assert sample(operator, 'kube_rendezvous_api_requests_total{code="200",verb="PUT"}') >= 2
        assert sample(operator, "kube_rendezvous_leader") == 1, "without leader election it leads"
        run.change(closed=True)
        run.delete()
        for member in run.members():
            run.delete_member(member.name)
        states = ("ranked", "waiting", "standby", "surplus", "unknown")
        eventually(
            lambda: not any(sample(operator, f'kube_rendezvous_members{{state="{state}"}}') for state in states),
            "who is gone is counted no more",
            LIMIT,
        )
        assert namespace not in operator.page("/metrics"), "no object's name is a label"


def test_each_probe_answers_with_a_sentence(replicas: Replicas) -> None:
    leader, standby = replicas.pair()
    eventually(lambda: leader.page("/readyz") == "ready: leading\n", "the leader says so", LIMIT)
    assert standby.page("/readyz") == f"ready: standing by, {replicas.lease['holderIdentity']} leads\n"
    for one in (leader, standby):
        assert one.page("/livez") == "alive\n"
        assert one.page("/startupz") == "started\n"
        assert one.page("/healthz").startswith("There is only:\n/livez\n/metrics\n")


def test_an_idle_operator_is_small(replicas: Replicas, record_property: Callable[[str, object], None]) -> None:
    leader, standby = replicas.pair()
    for who, one in (("leader", leader), ("standby", standby)):
        size = sample(one, "process_resident_memory_bytes")
        record_property(f"{who}_bytes", size)
        assert 0 < size < IDLE_BYTES


def test_with_json_logs_every_line_is_an_object_and_those_about_a_rendezvous_name_it(
    replicas: Replicas, runs: Runs, node: MakeNode, namespace: str
) -> None:
    operator = replicas.start("--log-format=json")
    until_leading(operator)
    run = runs("run").create(minNodes=2)
    nodes = [node(run), node(run)]
    meet(*nodes)
    lose(run, nodes[1])
    eventually(lambda: nodes[0].told, "the survivor is told", LIMIT)
    operator.stop()
    lines = [json.loads(line) for line in replicas.log_of(0).read_text().splitlines()]
    assert all({"message", "timestamp", "severity"} <= set(line) for line in lines)
    objects = [(line["object"]["kind"], line["object"]["name"]) for line in lines if "object" in line]
    assert ("Rendezvous", "run") in objects
    assert ("Lease", "replicas") in objects
    verdicts = [line["message"] for line in lines if line.get("object", {}).get("name") == "run"]
    assert len(verdicts) == len(set(verdicts)), "a verdict is logged once"
    assert {line["object"]["namespace"] for line in lines if "object" in line} == {namespace}
