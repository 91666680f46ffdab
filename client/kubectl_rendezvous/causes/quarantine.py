"""Places that lost too many members: no new round takes members from there."""

from collections.abc import Iterable

from kube_rendezvous.printable_text import shell_word
from kube_rendezvous.resources import Member
from kube_rendezvous.resources.failure_policy import possible_places
from kube_rendezvous.resources.names import TRUST_ANNOTATION
from kube_rendezvous_core.policy.failure_policy import BY_POLICY
from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.wording import age, as_sentence, listed, span, verb

QUARANTINED = "Quarantined"
GAVE_UP = "ClosedByFailurePolicy"


def quarantined_places(seen: Observation) -> Iterable[Finding]:
    """Nodes and slots that `spec.failurePolicy.quarantine` leaves out."""
    status, policy = seen.rendezvous.status, seen.rendezvous.spec.failure_policy.quarantine
    for place in status.quarantined:
        held = [m.name for m in seen.waiting if place.place in _places_of(m)]
        ago = age((seen.now - place.since).total_seconds())
        because = f": it lost {policy.losses} members or more within {span(policy.window_seconds)}" if policy else ""
        ends = [f"{loss.member} ({loss.reason})" for loss in status.recent_losses if loss.place == place.place]
        lost = f" (last: {listed(ends, 3)})" if ends else ""
        waiting = f" {listed(held)} {verb(len(held), 'wait')} there in vain." if held else ""
        trusted = ",".join(sorted({*seen.rendezvous.trusted_places, place.place}))
        kind, _, name = place.place.partition("/")
        look = (
            f"see what is wrong with the node: `kubectl describe node {shell_word(name)}`; " if kind == "node" else ""
        )
        yield Finding(
            QUARANTINED,
            f"The {kind} {name} is quarantined since {ago}{because}{lost}.{waiting}",
            f"{look}when it is mended, lift it: `{seen.kubectl} annotate rdzv {seen.name} --overwrite "
            f"{shell_word(f'{TRUST_ANNOTATION}={trusted}')}`",
            (place.place, *held),
        )


def closed_by_failure_policy(seen: Observation) -> Iterable[Finding]:
    """The run was given up because it failed again and again."""
    closed = seen.rendezvous.status.closed
    if closed is None or closed.reason != BY_POLICY:
        return
    ago = age((seen.now - closed.at).total_seconds())
    yield Finding(
        GAVE_UP,
        f"spec.failurePolicy closed {seen.name} {ago} ago: {as_sentence(closed.message)}",
        f"Read why it failed: `kubectl rendezvous history {seen.name} -n {seen.rendezvous.namespace} -o wide` and the "
        f"logs of the members that failed; then `kubectl rendezvous reopen {seen.name} -n {seen.rendezvous.namespace}`",
    )


def quarantine_of(seen: Observation, member: Member) -> str:
    """The quarantined place where a member sits; "" if there is none."""
    left_out = {place.place for place in seen.rendezvous.status.quarantined}
    return next(iter(sorted(_places_of(member) & left_out)), "")


def _places_of(member: Member) -> set[str]:
    return possible_places(member.node_name, member.pod_name, member.slot)
