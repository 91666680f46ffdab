"""PodGroups of an API server that has them (Kubernetes 1.37 with the gate on), and of one where pods only name them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.pods.gated_cluster import cluster_with
from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import NodeObjects, PodObjects, kubelet_time, whole_second
from integration.pods.pod_run import PodRun
from integration.pods.test_pods import assert_told_at_once, stand
from integration.pods.test_pods_that_cannot_come import condition
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.membership.identity import Identity
from rendezvous_local.cluster import Cluster

MakeMember = Callable[[Identity], PodMember]

GATES = "--feature-gates=GenericWorkload=true,TopologyAwareWorkloadScheduling=true"
SERVED = "--runtime-config=scheduling.k8s.io/v1beta1=true"
RACK = "example.com/rack"

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture(scope="module", params=[[GATES, SERVED], [GATES]], ids=["served", "absent"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One of its own, with the gates."""
    with cluster_with(request.param) as cluster:
        yield cluster


@pytest.fixture
def served(request: pytest.FixtureRequest, cluster: Cluster) -> bool:
    """Whether the API is there, beside the field of the pods."""
    return "absent" not in request.node.name


@pytest.fixture
def namespace(anybody: Connection) -> str:
    """A namespace of the test's own."""
    body = {"metadata": {"generateName": "test-"}}
    return str(anybody.request("POST", "/api/v1/namespaces", body=body)["metadata"]["name"])


@pytest.fixture
def gang(anybody: Connection, namespace: str, served: bool) -> Callable[..., None]:
    """``gang(count, …)``: makes the PodGroup that the pods name, if there is such a thing."""

    def make(count: int, **more: Any) -> None:
        spec = more | {
            "schedulingPolicy": {"gang": {"minCount": count}},
            "schedulingConstraints": {"topology": [{"key": RACK}]},
        }
        path = f"/apis/scheduling.k8s.io/v1beta1/namespaces/{namespace}/podgroups"
        if served:
            anybody.request("POST", path, body={"metadata": {"name": "gang"}, "spec": spec})

    return make


@pytest.fixture
def four(pods: PodObjects, nodes: NodeObjects, namespace: str, member: MakeMember) -> Callable[[], list[PodMember]]:
    """Lets four members stand, in pods of the gang, on four nodes that lie in two racks by turns."""

    def make() -> list[PodMember]:
        made = []
        for n in range(4):
            node = nodes.create(f"n{n}-of-{namespace}", {RACK: f"r{n % 2}"})
            made.append(member(pods.run(f"trainer-{n}", "run", node, group="gang")))
        return stand(*made)

    return make


def test_of_a_gang_that_goes_as_a_whole_all_are_handed_over_with_the_first(
    run: PodRun, gang: Callable[..., None], four: Callable[[], list[PodMember]], pods: PodObjects, served: bool
) -> None:
    gang(4, disruptionMode={"all": {}})
    run.create(minNodes=2, maxNodes=4)
    members = four()
    pods.set_condition("trainer-3", "DisruptionTarget", "True", "PreemptionByScheduler", "preempted by big-0")
    assert_told_at_once(*members)
    forming = run.status.forming
    assert forming is not None
    assert ("with its PodGroup gang" in forming.message) is served
    assert len(forming.message.split("; ")) == (4 if served else 1)


def test_nobody_waits_for_a_pod_whose_gate_is_lifted_while_another_of_its_group_is_gated(
    run: PodRun, gang: Callable[..., None], four: Callable[[], list[PodMember]], pods: PodObjects
) -> None:
    """The scheduler takes up the pods of a group together; last call is longer here than any test waits."""
    gang(1)
    run.create(minNodes=2, maxNodes=6)
    *survivors, lost = four()
    pods.create("trainer-4", "run", group="gang")
    pods.create("trainer-5", "run", group="gang", gates=["kueue.x-k8s.io/elastic-job"])
    status = run.until(lambda now: "trainer-4" in condition(now, "PodsHeldUp"), "it is named")
    assert "trainer-4 (PodGroup gang: SchedulingGated" in condition(status, "PodsHeldUp")
    lost.fall_silent()
    pods.delete(lost.identity.pod_name, grace_seconds=0)
    assert_told_at_once(*survivors)
    stand(*survivors)


def test_a_gang_that_was_never_scheduled_is_named(
    run: PodRun,
    gang: Callable[..., None],
    four: Callable[[], list[PodMember]],
    pods: PodObjects,
    anybody: Connection,
    namespace: str,
    served: bool,
) -> None:
    if not served:
        pytest.skip("there is no PodGroup")
    gang(5)
    run.create(minNodes=2, maxNodes=5)
    four()
    path = f"/apis/scheduling.k8s.io/v1beta1/namespaces/{namespace}/podgroups/gang/status"
    waits = {
        "type": "PodGroupInitiallyScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "4 of 5 fit",
    }
    waits["lastTransitionTime"] = kubelet_time(whole_second())
    anybody.request("PATCH", path, body={"status": {"conditions": [waits]}}, content_type=MERGE_PATCH)
    pods.create("trainer-4", "run", group="gang")
    pods.set_condition("trainer-4", "PodScheduled", "False", "Unschedulable", "0/4 nodes are available")
    status = run.until(lambda now: condition(now, "PodGroupHeldUp"), "it is named")
    assert "gang (Unschedulable: 4 of 5 fit)" in condition(status, "PodGroupHeldUp")
    pods.delete("trainer-4", grace_seconds=0)
    run.until(lambda now: not condition(now, "PodGroupHeldUp"), "nobody waits any more")


def names(members: list[PodMember]) -> list[str]:
    return [one.identity.name_prefix for one in members]


def test_ranks_follow_the_topology_of_the_pod_group_and_without_the_api_one_log_line_says_why_not(
    run: PodRun,
    gang: Callable[[int], None],
    four: Callable[[], list[PodMember]],
    served: bool,
    operator_log: Path,
) -> None:
    gang(4)
    run.create(minNodes=4, maxNodes=4)
    order = names(four())
    said = condition(run.status, "TopologyFromPodGroup")
    assert not condition(run.status, "GangMismatch")
    if served:
        assert order == ["trainer-0", "trainer-2", "trainer-1", "trainer-3"]
        assert f"Ranks follow the node labels {RACK}, as PodGroup gang says" in said
    else:
        assert order == ["trainer-0", "trainer-1", "trainer-2", "trainer-3"]
        assert not said
        assert operator_log.read_text().count("ranks do not follow its topology") == 1


def test_what_spec_ranking_says_wins_and_a_gang_that_does_not_fit_is_named(
    run: PodRun,
    gang: Callable[[int], None],
    four: Callable[[], list[PodMember]],
    served: bool,
    operator_log: Path,
) -> None:
    gang(2)
    run.create(minNodes=4, maxNodes=4, ranking={"topologyKeys": ["example.com/nobody-has-it"]})
    assert names(four()) == ["trainer-0", "trainer-1", "trainer-2", "trainer-3"]
    said = condition(run.status, "GangMismatch")
    assert said.startswith("PodGroup gang starts its pods when 2 of them fit") if served else not said
    assert not condition(run.status, "TopologyFromPodGroup")
    assert operator_log.read_text().count("ranks do not follow its topology") == (0 if served else 1)
