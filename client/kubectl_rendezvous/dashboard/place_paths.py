"""In which topology domain each member is, outermost level first."""

from collections.abc import Mapping

from kube_rendezvous_core.ranking.topology import SEPARATOR
from kubectl_rendezvous.observation import Observation

UNKNOWN = ""


def paths_of_members(observation: Observation) -> Mapping[str, tuple[str, ...]]:
    """Values of the labels `spec.ranking.topologyKeys` by member; "" for one that is not known.

    From the nodes, where we may read them; else from `status.domains`, what the operator saw when the round was formed.
    """
    status = observation.rendezvous.status
    keys = observation.rendezvous.spec.ranking.topology_keys
    pod_nodes = {pod.uid: pod.node_name for pod in observation.pods or ()}
    unknown = (UNKNOWN,) * len(keys)
    published = {
        name: path
        for name, domain in zip(status.ranks, status.domains, strict=False)
        if len(path := tuple(domain.split(SEPARATOR))) == len(keys)
    }
    paths = {name: published.get(name, unknown) for name in status.ranks}
    for member in observation.members:
        node = (observation.nodes or {}).get(member.node_name or pod_nodes.get(member.pod_uid, ""))
        if node is None:
            paths.setdefault(member.name, unknown)
        else:
            paths[member.name] = tuple(node.labels.get(key) or UNKNOWN for key in keys)
    return paths
