"""Whether rounds may be formed at all: closed by a person, closed by a member, opened again.

Design section 4, Close: what a member closed opens again when every member is gone and a new one comes (a restarted Job
must not be locked out for ever) unless `spec.reopen: Never`; what a person closed opens when that person says so.
While a round stands, its members close it, and nobody who merely waits beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kube_rendezvous.resources import Closed, Member, Rendezvous, RendezvousStatus, Reopen
from kube_rendezvous.resources.belonging import belongs_to
from kube_rendezvous_core.conditions import CLOSED
from kube_rendezvous_core.liveness.liveness import Liveness
from kube_rendezvous_core.observed.observation import Announcement, ObservedMember, Severity

BY_PERSON = "ClosedBySpec"
BY_MEMBER = "ClosedByMember"


@dataclass(frozen=True, slots=True)
class Closing:
    """``closed`` as it shall be; ``reopened``: it was closed until now and is not any more."""

    closed: Closed | None
    announcements: tuple[Announcement, ...] = ()
    reopened: bool = False


def settle_closing(
    rendezvous: Rendezvous, members: Sequence[ObservedMember], liveness: Liveness, now: datetime
) -> Closing:
    """Decide whether the rendezvous is closed."""
    was, spec = rendezvous.status.closed, rendezvous.spec
    if spec.closed:
        if was is not None and was.reason == BY_PERSON:
            return Closing(was)
        message = "spec.closed is true; set it to false to open the rendezvous again"
        return _close(Closed("spec.closed", now, BY_PERSON, message))
    requesters = sorted(
        (m for m in members if m.member.close_requested and _may_close(m.member, liveness, rendezvous)),
        key=lambda m: m.member.name,
    )
    if was is not None and was.reason != BY_PERSON:
        after = _after_member_closed(was, spec.reopen, liveness)
        # Who came to open it and asked to close it before anybody looked is heard; not who left with
        # the closing.
        begun = was.at.replace(microsecond=0)
        ranked = rendezvous.status.ranks
        requesters = [
            m
            for m in requesters
            if after.reopened and not m.deleted and m.member.created >= begun and m.member.name not in ranked
        ]
        return _closed_by(requesters[0].member, now) if requesters else after
    requesters = [m for m in requesters if not _is_of_the_last_run(m, rendezvous.status)]
    if not requesters:
        return Closing(None) if was is None else _reopen("spec.closed was set to false")
    return _closed_by(requesters[0].member, now)


def _closed_by(requester: Member, now: datetime) -> Closing:
    reason = requester.close_reason or "it asked to close the rendezvous"
    return _close(Closed(requester.name, now, BY_MEMBER, f"closed by {requester.name}: {reason}"))


def _may_close(member: Member, liveness: Liveness, rendezvous: Rendezvous) -> bool:
    """A member of the standing round; any that was admitted, while there is no round that somebody lives in."""
    status = rendezvous.status
    if not belongs_to(member, rendezvous):
        return False
    holders = dict(zip(status.ranks, status.incarnations, strict=False))
    if member.name in status.ranks:
        return holders.get(member.name, member.incarnation) == member.incarnation
    admitted = (*liveness.present, *(loss.member for loss in liveness.losses if loss.member is not None))
    if all(other.uid != member.uid for other in admitted):
        return False
    return not any(name in liveness.alive for name in status.ranks)


def _is_of_the_last_run(observed: ObservedMember, status: RendezvousStatus) -> bool:
    """Whether these are last words of before the opening: of one that a finalizer keeps, or that a watch tells late.

    Until a round stands since then. Who opened it came before, too: where it is gone before there is a round, the
    others go on without it.
    """
    if not observed.deleted or not 0 < status.round == status.opened_after:
        return False
    if observed.member.name in status.ranks:
        return True
    open_since = (c.last_transition_time for c in status.conditions if c.type == CLOSED and c.status == "False")
    opened = next(open_since, observed.member.created)
    return observed.member.created < opened.replace(microsecond=0)


def _after_member_closed(was: Closed, reopen: Reopen, liveness: Liveness) -> Closing:
    if reopen is Reopen.NEVER:
        return Closing(replace(was, reopens_on_join=False))
    if not any(True for _ in liveness.present):
        return Closing(replace(was, reopens_on_join=True))
    if was.reopens_on_join and liveness.alive:  # one that has to go opens nothing
        return _reopen(f"every earlier member is gone and {min(liveness.alive)} joined")
    return Closing(was)


def _close(closed: Closed) -> Closing:
    return Closing(closed, (Announcement(Severity.NORMAL, "Closed", closed.message),))


def _reopen(why: str) -> Closing:
    return Closing(None, (Announcement(Severity.NORMAL, "Reopened", f"Open again: {why}"),), reopened=True)
