"""Whether the next round can be formed at all: fewer nodes than it needs may exist that could ever join.

Known only where pods are labelled: a labelled pod that neither ended nor is ending can join or has joined; so can a
member outside such a pod. Members at quarantined places cannot. The pods of a Job appear one after the other, hence
the grace.
"""

from datetime import datetime

from kube_rendezvous.resources import Forming
from kube_rendezvous_operator.core.failure_policy import Blame
from kube_rendezvous_operator.core.liveness import Liveness
from kube_rendezvous_operator.core.surroundings import ObservedPod, Surroundings

IMPOSSIBLE_AFTER_SECONDS = 10.0
"""How long a formation may lack pods before that is reported."""


def shortage(
    name: str, forming: Forming | None, liveness: Liveness, surroundings: Surroundings, blame: Blame, now: datetime
) -> str:
    """Why the round in the making cannot be formed and what to do, as a sentence; "" if it can, or nobody knows.

    Args:
        name: of the Rendezvous.
        forming: the round in the making; None: there is none.
        liveness: its members.
        surroundings: its labelled pods.
        blame: which places are left out.
        now: wall clock, UTC.
    """
    if forming is None or not surroundings.pods or seconds_of_grace(forming, now) > 0:
        return ""
    joined = {member.pod_uid for member in liveness.present}
    pods = [pod for pod in surroundings.pods.values() if _may_live(pod)]
    coming = sum(1 for pod in pods if pod.uid not in joined)
    left_out = sum(1 for member in liveness.alive.values() if blame.holds(member))
    possible = len(liveness.alive) - left_out + coming
    if possible >= forming.required:
        return ""
    quarantined = f", {left_out} of them at quarantined places" if left_out else ""
    return (
        f"Round {forming.round} needs {forming.required} nodes, but only {possible} can ever take part: "
        f"{len(liveness.alive)} have joined{quarantined}, and of {len(pods)} live pods labelled "
        f"rendezvous.dev/name={name} {coming} have not; raise the replicas (of a Job: completions and parallelism), or "
        f"lower spec.minNodes."
    )


def seconds_of_grace(forming: Forming, now: datetime) -> float:
    """Seconds until a shortage of pods would be reported; 0 or less: it is."""
    return IMPOSSIBLE_AFTER_SECONDS - (now - forming.since).total_seconds()


def _may_live(pod: ObservedPod) -> bool:
    return pod.phase not in ("Succeeded", "Failed") and not pod.deleting and not pod.disruption
