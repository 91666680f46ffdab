"""An operator is there, leads, and serves the namespace."""

from collections.abc import Iterable

from kubectl_rendezvous.doctor.finding import Finding, Verdict, ok
from kubectl_rendezvous.doctor.surroundings import Deployment, Surroundings
from kubectl_rendezvous.wording import count, listed, span

_CHECK = "operator"


def check_operator(seen: Surroundings) -> Iterable[Finding]:
    """Its Deployment and its Lease; and what a Rendezvous tells, if one was made to try it."""
    if seen.answer is not None:
        yield _answer(seen)
    if seen.deployments is None:
        yield from _unseen(seen)
    elif not seen.deployments:
        yield from _not_installed(seen)
    else:
        serving = [one for one in seen.deployments if not one.serves or seen.namespace in one.serves]
        if not serving:
            yield _serves_others(seen)
        for one in serving[:1]:
            yield from _installed(seen, one)


def _answer(seen: Surroundings) -> Finding:
    answer = seen.answer
    assert answer is not None
    if answer.refused:
        return Finding(
            _CHECK,
            Verdict.PROBLEM,
            f"No Rendezvous can be made in {seen.namespace}: {answer.refused}",
            f"`kubectl -n {seen.namespace} create rolebinding rendezvous-edit --clusterrole=edit --user=YOU`",
        )
    if answer.seconds is None:
        return Finding(
            _CHECK,
            Verdict.PROBLEM,
            f"No operator has answered a Rendezvous that was made in {seen.namespace} to try it, within "
            f"{span(answer.limit)}.",
            f"`{seen.install}`; if it is installed, its log says what is wrong: "
            f"`kubectl -n {seen.operator_namespace} logs deployment/kube-rendezvous`",
        )
    return ok(_CHECK, f"An operator answered a Rendezvous that was made to try it after {span(answer.seconds)}.")


def _unseen(seen: Surroundings) -> Iterable[Finding]:
    answered, there = seen.observed
    if answered:
        yield ok(
            _CHECK, f"It has answered {answered} of {there} Rendezvous of {seen.namespace} (what it is we may not see)."
        )
    elif seen.answer is None:
        yield Finding(
            _CHECK,
            Verdict.UNKNOWN,
            f"We may not read Deployments of {seen.operator_namespace}, and no Rendezvous of {seen.namespace} tells.",
            f"Try it: `kubectl rendezvous doctor -n {seen.namespace} --try`",
        )


def _not_installed(seen: Surroundings) -> Iterable[Finding]:
    answered, there = seen.observed
    if answered or (seen.answer is not None and seen.answer.seconds is not None):
        yield ok(
            _CHECK, f"None is installed as a Deployment; one that runs elsewhere has answered in {seen.namespace}."
        )
    elif seen.answer is None:
        yield Finding(
            _CHECK,
            Verdict.PROBLEM,
            f"No operator is installed, and of {count(there, 'Rendezvous', 'Rendezvous')} of {seen.namespace} none has "
            "an answer.",
            f"`{seen.install}`",
        )


def _serves_others(seen: Surroundings) -> Finding:
    [one, *_] = seen.deployments or ()
    namespaces = ",".join((*one.serves, seen.namespace))
    return Finding(
        _CHECK,
        Verdict.PROBLEM,
        f"{one.namespace}/{one.name} serves {listed(one.serves)} only, not {seen.namespace}.",
        f"`helm upgrade {one.name} CHART -n {one.namespace} --reset-then-reuse-values "
        f"--set watchNamespaces='{{{namespaces}}}'`",
    )


def _installed(seen: Surroundings, one: Deployment) -> Iterable[Finding]:
    what = f"{one.namespace}/{one.name}{f' ({one.version})' if one.version else ''}"
    logs = f"kubectl -n {one.namespace} describe pods -l app.kubernetes.io/component=operator"
    if not one.wanted:
        again = f"`kubectl -n {one.namespace} scale deployment {one.name} --replicas=2`"
        yield Finding(_CHECK, Verdict.PROBLEM, f"{what} is scaled to no replicas.", again)
        return
    if not one.ready:
        why = f": {one.trouble}" if one.trouble else ""
        yield Finding(_CHECK, Verdict.PROBLEM, f"None of {one.wanted} replicas of {what} is ready{why}.", f"`{logs}`")
    elif one.ready < one.wanted:
        yield Finding(
            _CHECK, Verdict.WARNING, f"{one.ready} of {one.wanted} replicas of {what} are ready.", f"`{logs}`"
        )
    else:
        yield ok(_CHECK, f"{count(one.ready, 'replica')} of {what} {'is' if one.ready == 1 else 'are'} ready.")
    if one.lease:
        yield _leading(seen, one)


def _leading(seen: Surroundings, one: Deployment) -> Finding:
    where = f"lease {one.namespace}/{one.lease}"
    if not seen.lease_readable:
        may = f"`kubectl auth can-i get leases -n {one.namespace}`"
        return Finding("leader", Verdict.UNKNOWN, f"We may not read the {where}.", may)
    restart = f"`kubectl -n {one.namespace} rollout restart deployment {one.name}`"
    lease = seen.lease
    if lease is None or not lease.holder:
        return Finding("leader", Verdict.PROBLEM, f"Nobody leads: nobody holds the {where}.", restart)
    if lease.alive is False:
        ago = "" if lease.renewed is None else f" {span((seen.now - lease.renewed).total_seconds())} ago"
        return Finding(
            "leader",
            Verdict.PROBLEM,
            f"Nobody leads: {lease.holder} renewed the {where} last{ago}, and {span(lease.seconds)} are its time.",
            restart,
        )
    return ok("leader", f"{lease.holder} leads.")
