"""Nobody answers: no operator runs, or it does not do its work.

Only what it would have written long ago counts: a status that is seconds behind is the normal course.
"""

from collections.abc import Iterable

from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.causes.going import who_stays
from kubectl_rendezvous.causes.quarantine import quarantine_of
from kubectl_rendezvous.heartbeats import heartbeat_age, is_fresh, limit_of
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.wording import count, listed, span, verb

NOT_OBSERVED = "OperatorHasNotLooked"
SILENT = "OperatorDoesNotReact"

PATIENCE_SECONDS = 10.0
"""An operator that runs reacts within a second; a restarted one within a few."""

_START = (
    "Start the operator, or see in its log what keeps it from working (rights, CRDs): `python -m "
    "kube_rendezvous_operator` in a pod or anywhere with a kubeconfig; one that runs answers within a second"
)


def operator_has_not_looked(seen: Observation) -> Iterable[Finding]:
    """The status answers an older spec, or none."""
    rendezvous = seen.rendezvous
    behind = rendezvous.generation - rendezvous.status.observed_generation
    if behind <= 0:
        return
    age = (seen.now - seen.seen.created).total_seconds()
    if rendezvous.status.observed_generation == 0:
        text = f"No operator has looked at {seen.name} since it was created {span(age)} ago"
    else:
        changes = count(behind, "change")
        text = f"The last {changes} of the spec of {seen.name} (generation {rendezvous.generation}) had no answer yet"
    waiting = (
        f"; {count(len(seen.waiting), 'member')} {verb(len(seen.waiting), 'wait')} in vain" if seen.waiting else ""
    )
    yield Finding(NOT_OBSERVED, f"{text}: the operator does not seem to run{waiting}.", _START)


def operator_does_not_react(seen: Observation) -> Iterable[Finding]:
    """It knew the spec once, but what happened since is not in the status."""
    rendezvous = seen.rendezvous
    if rendezvous.status.closed is not None or rendezvous.status.observed_generation < rendezvous.generation:
        return
    signs = [*_passed_deadline(seen), *_waiting_unseen(seen), *_losses_unseen(seen)]
    if signs:
        text = f"The operator does not seem to run: {'; '.join(signs)}."
        yield Finding(SILENT, text, _START)


def _passed_deadline(seen: Observation) -> Iterable[str]:
    forming = seen.rendezvous.status.forming
    if forming is not None and forming.deadline is not None:
        late = (seen.now - forming.deadline).total_seconds()
        if late > PATIENCE_SECONDS:
            yield f"last call for round {forming.round} ended {span(late)} ago and no round was formed"


def _waiting_unseen(seen: Observation) -> Iterable[str]:
    status = seen.rendezvous.status
    told = status.forming.arrived if status.forming is not None else status.standby
    waiting = [
        m
        for m in who_stays(seen, seen.waiting)
        if is_fresh(m, seen.rendezvous, seen.now)
        and (seen.now - m.created).total_seconds() > PATIENCE_SECONDS
        and not quarantine_of(seen, m)
    ]
    if len(waiting) > told:
        names = listed([m.name for m in waiting])
        wait, send = verb(len(waiting), "wait"), verb(len(waiting), "send")
        yield f"{count(len(waiting), 'member')} {wait} and {send} heartbeats ({names}), but the status counts {told}"


def _losses_unseen(seen: Observation) -> Iterable[str]:
    status = seen.rendezvous.status
    if status.forming is not None and status.forming.interrupts:
        return
    by_name = {m.name: m for m in seen.members}
    limit = limit_of(seen.rendezvous) + PATIENCE_SECONDS
    lost = [name for name in status.ranks if name not in by_name]
    silent = [
        f"{name} (silent for {span(age)})"
        for name in status.ranks
        if name in by_name and (age := heartbeat_age(by_name[name], seen.now)) is not None and age > limit
    ]
    if lost:
        yield f"{listed(lost)} of round {status.round} {verb(len(lost), 'have')} no RendezvousMember any more"
    if silent:
        yield f"of round {status.round} it still counts {listed(silent)}"
