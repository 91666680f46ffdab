"""What members themselves hold up: too few, silent, late, surplus, unreadable."""

from collections.abc import Iterable

from kube_rendezvous.printable_text import shell_word
from kube_rendezvous.resources import LateJoiners, Member
from kube_rendezvous_core.formation.formation import WorldSizes
from kube_rendezvous_core.observed.pod_reading import NAME_LABEL
from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.causes.going import who_stays
from kubectl_rendezvous.causes.quarantine import quarantine_of
from kubectl_rendezvous.heartbeats import heartbeat_age, limit_of
from kubectl_rendezvous.observation import Hold, Observation
from kubectl_rendezvous.wording import age, as_sentence, count, listed, span, verb

SILENT = "HeartbeatsMissing"
NOT_AGAIN = "NotJoinedAgain"
UNREADABLE = "MembersUnreadable"
TOO_FEW = "TooFewNodes"
REFUSED = "Refused"
SURPLUS = "Surplus"


def silent_members(seen: Observation) -> Iterable[Finding]:
    """Members that have missed more than one heartbeat."""
    limit = limit_of(seen.rendezvous)
    ages = {m.name: heartbeat_age(m, seen.now) for m in seen.own_members}
    silent = {name: age for name, age in ages.items() if age is not None and age > limit * 2 / 3}
    if silent:
        who = listed([f"{name} ({span(age)})" for name, age in silent.items()])
        yield Finding(
            SILENT,
            f"No recent heartbeat from {who}; at {span(limit)} of silence a member is lost.",
            f"See whether its process hangs or its node is cut off: {_look_at(seen, next(iter(silent)))}",
            tuple(silent),
        )


def not_joined_again(seen: Observation) -> Iterable[Finding]:
    """Members of the old round that were told to stop and have not come back."""
    status = seen.rendezvous.status
    if status.forming is None or not status.forming.interrupts or status.closed is not None:
        return
    here = {m.name: m for m in who_stays(seen, seen.own_members)}
    late = [name for name in status.ranks if name in here and here[name].after_round < status.round]
    if late:
        told = age((seen.now - status.forming.since).total_seconds())
        told_them = "was told" if len(late) == 1 else "were told"
        yield Finding(
            NOT_AGAIN,
            f"{listed(late)} {told_them} {told} ago to join round {status.forming.round} and "
            f"{verb(len(late), 'have')} not done so yet: "
            "torchrun stops its workers first, which lasts as long as they take to end.",
            f"Wait; if it lasts, look at the workers: {_look_at(seen, late[0])}",
            tuple(late),
        )


def unreadable_members(seen: Observation) -> Iterable[Finding]:
    """Members that somebody wrote by hand."""
    for sentence in seen.unreadable_members:
        yield Finding(
            UNREADABLE,
            as_sentence(sentence),
            f"The operator passes over it. Nothing but a node should write Members; `{seen.kubectl} delete rdzvm NAME`",
        )


def too_few_nodes(seen: Observation) -> Iterable[Finding]:
    """Fewer nodes than a round needs are here or on their way."""
    rendezvous = seen.rendezvous
    status = rendezvous.status
    if status.closed is not None or rendezvous.spec.closed or (status.ranks and status.forming is None):
        return
    required = WorldSizes.of(rendezvous.spec).required
    pods = [p for p in seen.labelled_pods if p.hold is not Hold.ENDED and not p.leaving]
    uids = {pod.uid for pod in pods}
    outside = [m for m in seen.own_members if m.pod_uid not in uids]
    possible = len(pods) + len(outside) + seen.pods_to_be_made
    if possible >= required:
        return
    if seen.pods is None:
        text = f"{count(possible, 'node')} joined and {required} are required; how many pods there are we may not see."
    elif not possible:
        text = f"No pod is labelled {NAME_LABEL}={seen.name} and no node has joined; {required} are required."
    else:
        made = f" and {seen.pods_to_be_made} still to be made" if seen.pods_to_be_made else ""
        pods_text = f"{count(len(pods), 'pod')} labelled {NAME_LABEL}={seen.name}{made}"
        others = f", {count(len(outside), 'member')} elsewhere" if outside else ""
        text = f"Only {count(possible, 'node')} can take part ({pods_text}{others}) and {required} are required."
    patch = f'{seen.kubectl} patch rdzv {seen.name} --type=merge -p \'{{"spec":{{"minNodes":{max(1, possible)}}}}}\''
    yield Finding(
        TOO_FEW, text, f"Start {required - possible} more (scale the Job or StatefulSet), or ask for less: `{patch}`"
    )


def refused_members(seen: Observation) -> Iterable[Finding]:
    """Members in whose pod and slot another one lives."""
    for one in seen.rendezvous.status.refused:
        yield Finding(
            REFUSED,
            f"{one.member} is refused: {as_sentence(one.message)}",
            "Give each node of a pod a slot of its own, or end the one that is not meant to be there",
            (one.member,),
        )


def surplus_members(seen: Observation) -> Iterable[Finding]:
    """Members on standby while a round stands."""
    status = seen.rendezvous.status
    if not seen.spares or not status.ranks or status.closed is not None or status.forming is not None:
        return
    names = tuple(m.name for m in seen.spares)
    yield Finding(
        SURPLUS,
        f"{count(len(names), 'member')} on standby ({listed(names)}): {why_not_in(seen, seen.spares[0])}.",
        f"Nothing: they replace whoever is lost. To take them in: {_take_in(seen)}",
        names,
        harmless=True,
    )


def why_not_in(seen: Observation, member: Member) -> str:
    """Why a living member has no rank."""
    rendezvous = seen.rendezvous
    status, spec = rendezvous.status, rendezvous.spec
    sizes = WorldSizes.of(spec)
    pod = next((p for p in seen.pods or () if p.uid == member.pod_uid and member.pod_uid), None)
    if status.closed is not None:
        return "the rendezvous is closed"
    if pod is not None and pod.leaving:
        return f"its pod has to go ({pod.leaving})"
    if place := quarantine_of(seen, member):
        return f"its place is quarantined ({place})"
    if pod is not None and pod.unhealthy_devices:
        return f"a device of its pod is unhealthy ({pod.unhealthy_devices})"
    if member.name in status.surplus:
        return f"spares enough stand by (spec.standby.max is {spec.max_spares}): it is sent home"
    if status.forming is not None:
        return f"it waits for round {status.forming.round}"
    if not status.ranks:
        return "no round was formed yet"
    if status.world_size >= sizes.full:
        unit = f", a multiple of nodeUnit {sizes.unit}" if sizes.unit > 1 and sizes.full < spec.max_nodes else ""
        return f"the world is full (maxNodes is {spec.max_nodes}{unit})"
    if spec.late_joiners is LateJoiners.WAIT:
        return "lateJoiners is Wait: it is taken in at the next round"
    if sizes.unit > 1 and sizes.largest(status.world_size + len(seen.spares)) <= status.world_size:
        return f"the world grows in steps of nodeUnit {sizes.unit}"
    return "it has only just joined, or the operator does not run"


def _take_in(seen: Observation) -> str:
    spec = seen.rendezvous.spec
    if spec.late_joiners is LateJoiners.WAIT and seen.rendezvous.status.world_size < WorldSizes.of(spec).full:
        wish = '"lateJoiners":"Restart"'
    else:
        wish = f'"maxNodes":{seen.rendezvous.status.world_size + len(seen.spares)}'
    return f"`{seen.kubectl} patch rdzv {seen.name} --type=merge -p '{{\"spec\":{{{wish}}}}}'`"


def _look_at(seen: Observation, name: str) -> str:
    pod = next((m.pod_name for m in seen.members if m.name == name and m.pod_name), "")
    return f"`{seen.kubectl} logs {shell_word(pod)} --tail=50`" if pod else f"`{seen.kubectl} describe rdzvm {name}`"
