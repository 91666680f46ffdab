"""What the operator itself names as wrong in a condition, with what to do about it."""

from collections.abc import Iterable

from kube_rendezvous_core.formation.device_health import DEVICES_UNHEALTHY
from kube_rendezvous_core.formation.evictions import EVICTIONS_REQUESTED
from kube_rendezvous_core.formation.owners import SIZE_MISMATCH
from kube_rendezvous_core.formation.pod_groups import GANG_MISMATCH, POD_GROUP_HELD_UP, TOPOLOGY_FROM_POD_GROUP
from kube_rendezvous_core.ranking.slots import SLOTS_SHARED
from kube_rendezvous_core.ranking.topology import TOPOLOGY_UNKNOWN
from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.observation import Observation

_NEXT_STEPS = {
    DEVICES_UNHEALTHY: "See allocatedResourcesStatus in `{kubectl} get pods -l rendezvous.dev/name={name} -o yaml`",
    EVICTIONS_REQUESTED: "See who asks: `{kubectl} get evictionrequests,evictions -o yaml`",
    GANG_MISMATCH: "See the group and the bounds: `{kubectl} get podgroups -o yaml`, `{kubectl} edit rdzv {name}`",
    POD_GROUP_HELD_UP: "See the group and its pods: `{kubectl} get podgroups -o yaml`",
    SIZE_MISMATCH: "Change the owner of the pods or the bounds: `{kubectl} edit rdzv {name}`",
    SLOTS_SHARED: "See who has which slot: `{kubectl} get rdzvm`; then give each its own",
    TOPOLOGY_UNKNOWN: "See the operator's rights: the chart's value topology.enabled",
}

_HARMLESS = {TOPOLOGY_FROM_POD_GROUP: "Nothing; to follow others: `{kubectl} edit rdzv {name}`, spec.ranking"}


def mistakes_named_by_the_operator(seen: Observation) -> Iterable[Finding]:
    """Unhealthy devices, requested evictions, bounds that the owner of the pods or their gang does not fit, slots that
    two members share, a topology that cannot be seen, or that a PodGroup names."""
    for condition in seen.rendezvous.status.conditions:
        if condition.status == "True" and condition.type in _NEXT_STEPS:
            step = _NEXT_STEPS[condition.type].format(kubectl=seen.kubectl, name=seen.name)
            yield Finding(condition.type, condition.message, step)
        if condition.status == "True" and condition.type in _HARMLESS:
            step = _HARMLESS[condition.type].format(kubectl=seen.kubectl, name=seen.name)
            yield Finding(condition.type, condition.message, step, harmless=True)
