"""Members on nodes with equal topology labels have neighbouring ranks, on the real API server.

The labels are written out as those who set them document them, not taken from the code.
"""

from collections.abc import Callable, Mapping

import pytest

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import NodeObjects, PodObjects
from integration.pods.pod_run import PodRun
from integration.pods.test_pods import stand
from kube_rendezvous.membership.identity import Identity

MakeMember = Callable[[Identity], PodMember]
Labels = Mapping[str, str]

pytestmark = pytest.mark.usefixtures("operator")

GKE = "cloud.google.com/gce-topology"
EKS = "topology.k8s.aws/network-node-layer"
TIER = "fabric.topograph.run/tier"


@pytest.mark.parametrize(
    ("preset", "near", "far"),
    [
        pytest.param("GKE", {f"{GKE}-block": "b1"}, {f"{GKE}-block": "b2"}, id="GKE"),
        pytest.param("GKE", {f"{GKE}-block": "b", f"{GKE}-host": "h1"}, {f"{GKE}-block": "b", f"{GKE}-host": "h2"}),
        pytest.param("EKS", {f"{EKS}-1": "nn-1", f"{EKS}-3": "nn-9"}, {f"{EKS}-1": "nn-2", f"{EKS}-3": "nn-9"}),
        pytest.param("EKS", {f"{EKS}-1": "nn-1", f"{EKS}-3": "nn-8"}, {f"{EKS}-1": "nn-1", f"{EKS}-3": "nn-9"}),
        pytest.param("NVIDIA", {"nvidia.com/gpu.clique": "c.1"}, {"nvidia.com/gpu.clique": "c.2"}, id="NVIDIA"),
        pytest.param("Topograph", {f"{TIER}-1": "s1", f"{TIER}-0": "x"}, {f"{TIER}-1": "s2", f"{TIER}-0": "x"}),
        pytest.param(
            "Topograph",
            {f"{TIER}-0": "x", "accelerator.topograph.run/domain": "nvl1"},
            {f"{TIER}-0": "x", "accelerator.topograph.run/domain": "nvl2"},
            id="Topograph, NVLink",
        ),
        pytest.param("GKE", {f"{GKE}-block": "b1"}, {}, id="GKE, two without a label"),
    ],
)
def test_ranks_follow_the_labels_of_a_preset(
    run: PodRun,
    pods: PodObjects,
    nodes: NodeObjects,
    namespace: str,
    member: MakeMember,
    preset: str,
    near: Labels,
    far: Labels,
) -> None:
    labels = (near, far, near, far)
    for n, own in enumerate(labels):
        nodes.create(f"n{n}-of-{namespace}", own)
    run.create(minNodes=4, maxNodes=4, ranking={"preset": preset})
    made = [member(pods.run(f"trainer-{n}", "run", f"n{n}-of-{namespace}")) for n in range(4)]
    by_rank = stand(*made)
    assert [one.identity.name_prefix for one in by_rank] == ["trainer-0", "trainer-2", "trainer-1", "trainer-3"]
