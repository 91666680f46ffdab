"""No round is formed because the rendezvous is closed, or going away."""

from collections.abc import Iterable

from kube_rendezvous.resources import Reopen
from kube_rendezvous_core.policy.closing import BY_MEMBER, BY_PERSON
from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.wording import age, as_sentence, count, listed

CLOSED_BY_PERSON = "ClosedByPerson"
CLOSED_BY_MEMBER = "ClosedByMember"
BEING_DELETED = "BeingDeleted"
OTHER_UID = "MembersOfAnEarlierRendezvous"


def closed_by_person(seen: Observation) -> Iterable[Finding]:
    """`spec.closed` is true."""
    if not seen.rendezvous.spec.closed:
        return
    closed = seen.rendezvous.status.closed
    when = f" {age((seen.now - closed.at).total_seconds())} ago" if closed and closed.reason == BY_PERSON else ""
    why = f", saying: {as_sentence(seen.seen.close_note)}" if seen.seen.close_note else "."
    yield Finding(
        CLOSED_BY_PERSON,
        f"A person closed {seen.name}{when} (spec.closed is true){why} No round is formed and nobody can join.",
        f"Open it: `kubectl rendezvous reopen {seen.name} -n {seen.rendezvous.namespace}`",
    )


def closed_by_member(seen: Observation) -> Iterable[Finding]:
    """A member ended the run, as torchrun does when its workers have succeeded or failed for good."""
    rendezvous, closed = seen.rendezvous, seen.rendezvous.status.closed
    if closed is None or closed.reason != BY_MEMBER or rendezvous.spec.closed:
        return
    ago = age((seen.now - closed.at).total_seconds())
    text = f"A member closed {seen.name} {ago} ago: {as_sentence(closed.message)}"
    reopen = f"`kubectl rendezvous reopen {seen.name} -n {rendezvous.namespace}`"
    if closed.reopens_on_join:
        yield Finding(
            CLOSED_BY_MEMBER,
            f"{text} All its members are gone.",
            f"Nothing, if the run is over. The next node that joins opens it again; or {reopen}",
        )
    elif rendezvous.spec.reopen is Reopen.NEVER:
        yield Finding(CLOSED_BY_MEMBER, f"{text} It stays closed (spec.reopen is Never).", f"Open it: {reopen}")
    else:
        still = f"{count(len(seen.own_members), 'member')} still there: {listed([m.name for m in seen.own_members])}"
        yield Finding(
            CLOSED_BY_MEMBER,
            f"{text} It opens again by itself when every member is gone and a new one joins ({still}).",
            f"Let the old nodes end and start new ones; or open it now: {reopen}",
            tuple(m.name for m in seen.own_members),
        )


def leftover_of_another(seen: Observation) -> Iterable[Finding]:
    """The object is being deleted, or members belong to one that was."""
    rendezvous = seen.rendezvous
    if rendezvous.being_deleted:
        yield Finding(
            BEING_DELETED,
            f"{seen.name} is being deleted and held by {listed(rendezvous.finalizers) or 'something'} (a finalizer). "
            "Nodes that come wait until it is gone.",
            f"Let whoever set it let go; or do so by hand: `{seen.kubectl} edit rdzv {seen.name}`",
        )
    strangers = [m.name for m in seen.members if m.rendezvous_uid not in ("", rendezvous.uid)]
    if strangers:
        yield Finding(
            OTHER_UID,
            f"{listed(strangers)} joined an earlier Rendezvous of the name {seen.name}, which was deleted.",
            "The operator removes these members and their nodes join afresh; if they stay, restart the nodes or "
            f"`{seen.kubectl} delete rdzvm {' '.join(strangers[:5])}`",
            tuple(strangers),
        )
