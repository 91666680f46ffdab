"""A name mistyped in one pod: its label or its --rdzv-id almost, but not quite, says the name of this Rendezvous."""

from collections.abc import Iterable

from kube_rendezvous.printable_text import shell_word
from kube_rendezvous.resources.names import CLIENT_MANAGER
from kube_rendezvous_core.observed.pod_reading import NAME_LABEL
from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.near_names import looks_like
from kubectl_rendezvous.observation import Hold, Observation, SeenPod

MISTYPED_LABEL = "NameMistypedInLabel"
MISTYPED_RUN_ID = "NameMistypedInRunId"
JOINED_ELSEWHERE = "JoinedAnotherRendezvous"


def mistyped_labels(seen: Observation) -> Iterable[Finding]:
    """Pods with a label that nobody answers to: the operator does not take them for ours."""
    for pod in _living(seen):
        if not pod.label or pod.label == seen.name:
            continue
        runs_here = seen.name in pod.run_ids
        if not runs_here and not (looks_like(pod.label, seen.name) and _nobody_meant(seen, pod.label)):
            continue
        contrast = f" although it passes --rdzv-id={seen.name}" if runs_here else f", {_who_is(seen, pod.label)}"
        yield Finding(
            MISTYPED_LABEL,
            f"Pod {pod.name} is labelled {NAME_LABEL}={pod.label}{contrast}: "
            f"the label looks like a mistyped {seen.name}.",
            f"Correct it: `{seen.kubectl} label pod {pod.name} --overwrite {NAME_LABEL}={seen.name}`, "
            "and the template that makes the pod",
            (pod.name,),
        )


def mistyped_run_ids(seen: Observation) -> Iterable[Finding]:
    """Pods whose process asks for a rendezvous of another name."""
    elsewhere = _joined_elsewhere(seen)
    for pod in _living(seen):
        if not pod.run_ids or seen.name in pod.run_ids or pod.uid in elsewhere:
            continue
        run_id = pod.run_ids[0]
        labelled = pod.label == seen.name
        if not labelled and not (looks_like(run_id, seen.name) and _nobody_meant(seen, run_id)):
            continue
        contrast = f" but is labelled for {seen.name}" if labelled else f", {_who_is(seen, run_id)}"
        yield Finding(
            MISTYPED_RUN_ID,
            f"Pod {pod.name} passes --rdzv-id={run_id}{contrast}: it looks like a mistyped {seen.name}.",
            _correct_run_id(seen, pod.name, run_id),
            (pod.name,),
        )


def joined_elsewhere(seen: Observation) -> Iterable[Finding]:
    """Nodes that have joined another rendezvous: pods labelled for ours, or any under a name that looks like ours."""
    ours = _joined_elsewhere(seen)
    for member in seen.other_members:
        if member.pod_uid and member.pod_uid in ours:
            where = f"Pod {ours[member.pod_uid].name} is labelled for {seen.name} but"
            subject = ours[member.pod_uid].name
        elif looks_like(member.rendezvous, seen.name) and _nobody_meant(seen, member.rendezvous):
            where = f"Pod {member.pod_name}" if member.pod_name else "A node outside the cluster"
            subject = member.pod_name or member.name
        else:
            continue
        yield Finding(
            JOINED_ELSEWHERE,
            f"{where} has joined {member.rendezvous} as {member.name}, {_who_is(seen, member.rendezvous)}: "
            f"its --rdzv-id looks like a mistyped {seen.name}.",
            _correct_run_id(seen, member.pod_name, member.rendezvous),
            (subject,),
        )


def _living(seen: Observation) -> Iterable[SeenPod]:
    return (pod for pod in seen.pods or () if pod.hold is not Hold.ENDED)


def _joined_elsewhere(seen: Observation) -> dict[str, SeenPod]:
    """Pods labelled for ours, by UID, that have joined another one and not ours."""
    here = {member.pod_uid for member in seen.members}
    there = {member.pod_uid for member in seen.other_members if member.pod_uid}
    return {pod.uid: pod for pod in seen.labelled_pods if pod.uid in there and pod.uid not in here}


def _nobody_meant(seen: Observation, name: str) -> bool:
    """No such Rendezvous, or one that a client made because it found none and in which it is alone."""
    other = next((o.rendezvous for o in seen.others if o.rendezvous.name == name), None)
    return other is None or (other.managed_by == CLIENT_MANAGER and other.status.world_size <= 1)


def _who_is(seen: Observation, name: str) -> str:
    other = next((o.rendezvous for o in seen.others if o.rendezvous.name == name), None)
    if other is None:
        return "a name that no Rendezvous here has"
    if other.managed_by == CLIENT_MANAGER:
        return "a Rendezvous that nobody applied: a client made it because it found none"
    return f"another Rendezvous ({other.status.state}, round {other.status.round})"


def _correct_run_id(seen: Observation, pod_name: str, wrong: str) -> str:
    namespace = seen.rendezvous.namespace
    made = [o.rendezvous.name for o in seen.others if o.rendezvous.name == wrong]
    made = made if made and _nobody_meant(seen, wrong) else []
    commands = [f"`kubectl -n {namespace} delete pod {shell_word(pod_name)}`"] if pod_name else ["start the node again"]
    if made:
        commands.append(f"`kubectl -n {namespace} delete rdzv {shell_word(made[0])}`")
    return f"Write --rdzv-id={seen.name} where the node is started (the pod template), then {' and '.join(commands)}"
