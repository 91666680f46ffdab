"""Members that have to go: their node is drained, their pod is evicted or deleted."""

from collections.abc import Iterable, Mapping

from kube_rendezvous.printable_text import shell_word
from kube_rendezvous.resources import Member
from kube_rendezvous_core import Surroundings
from kube_rendezvous_core.liveness.group_leaders import with_orphans
from kube_rendezvous_core.liveness.pod_liveness import ending_groups
from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.pod_reading import CORDONED
from kubectl_rendezvous.wording import as_sentence, listed

DRAINING = "NodeDraining"
LEAVING = "PodsHaveToGo"
MAINTENANCE = "MaintenancePlanned"


def draining_nodes(seen: Observation) -> Iterable[Finding]:
    """Nodes that take no more pods or must be left."""
    for name, node in sorted((seen.nodes or {}).items()):
        pods = sorted({m.pod_name for m in seen.own_members if m.node_name == name and m.pod_name})
        pods += [p.name for p in seen.pods_to_join if p.node_name == name]
        if not node.draining or not pods:
            continue
        if node.draining == CORDONED:
            text = f"Node {name} is cordoned (somebody drains it, or is about to): {listed(pods)} run there."
            uncordon = f"`kubectl uncordon {shell_word(name)}`"
            step = f"When its work is done: {uncordon}; pods that are evicted need a place elsewhere"
        else:
            text = f"Node {name} has to be left ({node.draining}): its pods must go ({listed(pods)})."
            step = f"Let replacements start elsewhere; see the node: `kubectl describe node {shell_word(name)}`"
        yield Finding(DRAINING, text, step, (name, *pods), harmless=node.draining == CORDONED)


def nodes_to_be_maintained(seen: Observation) -> Iterable[Finding]:
    """Nodes that will have to be left, and need not be yet."""
    for name, node in sorted((seen.nodes or {}).items()):
        pods = sorted({m.pod_name for m in seen.own_members if m.node_name == name and m.pod_name})
        if node.maintenance and pods and node.draining in ("", CORDONED):
            text = f"Node {name} will have to be left some day ({node.maintenance}): {_run_there(pods)}."
            step = "Nothing yet: nobody is disturbed, and spares there are taken last"
            yield Finding(MAINTENANCE, text, step, (name, *pods), harmless=True)


def _run_there(pods: list[str]) -> str:
    return f"{listed(pods)} {'runs' if len(pods) == 1 else 'run'} there"


def pods_that_have_to_go(seen: Observation) -> Iterable[Finding]:
    """Pods that are deleted or evicted, and those that go with them: no new round takes them."""
    reasons = _reasons_to_go(seen)
    for pod in seen.labelled_pods:
        why = reasons.get(pod.uid, "")
        if not why:
            continue
        member = next((m.name for m in seen.own_members if m.pod_uid == pod.uid), "")
        rank = f" (rank {seen.rendezvous.status.ranks.index(member)})" if member in seen.rendezvous.status.ranks else ""
        yield Finding(
            LEAVING,
            as_sentence(f"Pod {pod.name}{rank} has to go: {why}"),
            f"The next round is formed without it; see that a replacement starts: "
            f"`{seen.kubectl} get pods -l rendezvous.dev/name={seen.name}`",
            (pod.name,),
        )


def who_stays(seen: Observation, members: Iterable[Member]) -> list[Member]:
    """Those that may be in the next round, as far as their pods and nodes let them."""
    reasons, nodes = _reasons_to_go(seen), seen.nodes or {}
    left = {name for name, node in nodes.items() if node.draining not in ("", CORDONED)}
    asked = {uid for uid, eviction in seen.evictions.items() if eviction.asks}
    return [
        m
        for m in members
        if m.node_name not in left and not (m.pod_uid and (m.pod_uid in reasons or m.pod_uid in asked))
    ]


def _reasons_to_go(seen: Observation) -> Mapping[str, str]:
    """Why pods have to go, by UID: for themselves, with the leader of their group, or with their PodGroup."""
    reasons = {pod.uid: pod.leaving for pod in seen.pods or () if pod.leaving}
    observed = {pod.uid: pod.observed for pod in seen.labelled_pods if pod.observed is not None}
    known = with_orphans(Surroundings(pods=observed, groups=seen.groups))
    ending = ending_groups(known)
    for uid, pod in known.pods.items():
        if pod.disruption:
            reasons.setdefault(uid, pod.disruption)
        elif pod.group is not None and pod.group in ending:
            reasons.setdefault(uid, f"so has all of its PodGroup {pod.group.name} ({ending[pod.group]})")
    return reasons
