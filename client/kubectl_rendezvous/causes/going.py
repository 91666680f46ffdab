"""Members that have to go: their node is drained, their pod is evicted or deleted."""

from collections.abc import Iterable

from kube_rendezvous.printable_text import shell_word
from kube_rendezvous.resources import Member
from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.pod_reading import CORDONED
from kubectl_rendezvous.wording import as_sentence, listed

DRAINING = "NodeDraining"
LEAVING = "PodsHaveToGo"


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


def pods_that_have_to_go(seen: Observation) -> Iterable[Finding]:
    """Pods that are deleted or evicted: no new round takes them."""
    for pod in seen.labelled_pods:
        if not pod.leaving:
            continue
        member = next((m.name for m in seen.own_members if m.pod_uid == pod.uid), "")
        rank = f" (rank {seen.rendezvous.status.ranks.index(member)})" if member in seen.rendezvous.status.ranks else ""
        yield Finding(
            LEAVING,
            as_sentence(f"Pod {pod.name}{rank} has to go: {pod.leaving}"),
            f"The next round is formed without it; see that a replacement starts: "
            f"`{seen.kubectl} get pods -l rendezvous.dev/name={seen.name}`",
            (pod.name,),
        )


def has_to_go(seen: Observation, member: Member) -> bool:
    """Whether the operator takes the member into no new round because its pod or node goes."""
    pod = next((p for p in seen.pods or () if p.uid == member.pod_uid and member.pod_uid), None)
    node = (seen.nodes or {}).get(member.node_name)
    if seen.evictions.get(member.pod_uid) is not None and seen.evictions[member.pod_uid].asks:
        return True
    return (pod is not None and bool(pod.leaving)) or (node is not None and node.draining not in ("", CORDONED))
