"""Whether the next round can be formed at all: fewer nodes than it needs may exist that could ever join.

Known only where pods are labelled: a labelled pod that neither ended nor is ending can join or has joined; so can a
member outside such a pod, and a pod that its owner has yet to make. Members at quarantined places cannot. The pods of a
Job appear one after the other, hence the grace.
"""

from datetime import datetime

from kube_rendezvous.resources import Forming
from kube_rendezvous_core.formation.owners import known_owners, may_live, pods_to_come, sizes_of
from kube_rendezvous_core.liveness.liveness import Liveness
from kube_rendezvous_core.observed.surroundings import Surroundings
from kube_rendezvous_core.policy.failure_policy import Blame

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
    known = bool(surroundings.pods or surroundings.owner_refs)
    if forming is None or not known or seconds_of_grace(forming, now) > 0:
        return ""
    joined = {member.pod_uid for member in liveness.present}
    pods = [pod for pod in surroundings.pods.values() if may_live(pod)]
    coming = sum(1 for pod in pods if pod.uid not in joined)
    left_out = sum(1 for member in liveness.alive.values() if blame.holds(member))
    to_be_made = sum(lacking.missing for lacking in pods_to_come(surroundings))
    possible = len(liveness.alive) - left_out + coming + to_be_made
    if possible >= forming.required:
        return ""
    quarantined = f", {left_out} of them at quarantined places" if left_out else ""
    return (
        f"Round {forming.round} needs {forming.required} nodes, but only {possible} can ever take part: "
        f"{len(liveness.alive)} have joined{quarantined}, and of {len(pods)} live pods labelled "
        f"rendezvous.dev/name={name} {coming} have not; {_advice(surroundings)}"
    )


def _advice(surroundings: Surroundings) -> str:
    owners = {owner.ref: owner for owner in known_owners(surroundings)}
    suspended = [str(ref) for ref, owner in owners.items() if owner.suspended]
    if suspended:
        return f"{', '.join(suspended)} is suspended: resume it."
    if owners and len(owners) == len(surroundings.owner_refs):
        made = sizes_of(owners) or "what made them is gone"
        return f"no more are made ({made}): raise that, or lower spec.minNodes."
    advice = "raise the replicas (of a Job: completions and parallelism), or lower spec.minNodes."
    if surroundings.owner_refs:
        return f"unless lost ones are still being replaced (what made them cannot be read), {advice}"
    return advice


def seconds_of_grace(forming: Forming, now: datetime) -> float:
    """Seconds until a shortage of pods would be reported; 0 or less: it is."""
    return IMPOSSIBLE_AFTER_SECONDS - (now - forming.since).total_seconds()
