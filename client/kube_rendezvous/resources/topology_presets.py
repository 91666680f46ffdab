"""``spec.ranking.preset``: well-known node labels that say where a node is, outermost first, as they are documented.

- Topograph 1.1, reference "Node labels and annotations": tier 0 is the switch next to the node, higher tiers are
  further out, without a fixed depth (four are read here); an accelerator domain is a rack below the first switch tier,
  and its optional sub-domain lies within it.
- NVIDIA GPU Operator: ``nvidia.com/gpu.clique`` is the NVLink partition, absent where there is no multi-node NVLink.
- GKE, "Schedule GKE workloads with Topology Aware Scheduling": block, sub-block, host; the more of them two nodes
  share, the closer they are.
- EKS, "Place distributed AI/ML workloads with network topology labels": layer 1 is the top of the hierarchy; layer 4
  is there only on instance types with four layers.
"""

from collections.abc import Mapping

TOPOLOGY_PRESETS: Mapping[str, tuple[str, ...]] = {
    "Topograph": (
        "fabric.topograph.run/tier-3",
        "fabric.topograph.run/tier-2",
        "fabric.topograph.run/tier-1",
        "fabric.topograph.run/tier-0",
        "accelerator.topograph.run/domain",
        "accelerator.topograph.run/sub-domain",
    ),
    "NVIDIA": ("nvidia.com/gpu.clique",),
    "GKE": (
        "cloud.google.com/gce-topology-block",
        "cloud.google.com/gce-topology-subblock",
        "cloud.google.com/gce-topology-host",
    ),
    "EKS": (
        "topology.k8s.aws/network-node-layer-1",
        "topology.k8s.aws/network-node-layer-2",
        "topology.k8s.aws/network-node-layer-3",
        "topology.k8s.aws/network-node-layer-4",
    ),
}
"""Label keys by the name of the preset."""
