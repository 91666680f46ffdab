"""The admission policy that lets each pod write its own Member only is in force."""

from collections.abc import Iterable

from kubectl_rendezvous.doctor.finding import Finding, Verdict, ok
from kubectl_rendezvous.doctor.surroundings import Surroundings
from kubectl_rendezvous.wording import as_sentence, listed

_CHECK = "guard"


def check_guard(seen: Surroundings) -> Iterable[Finding]:
    """By what is installed, and by a Member of a stranger's pod, written with ``dryRun``."""
    guard = seen.guard
    mend = f"`{seen.install} --set memberGuard.enabled=true`"
    for complaint in guard.complaints:
        yield Finding(
            _CHECK, Verdict.WARNING, f"The API server complains of the policy: {as_sentence(complaint)}", mend
        )
    if guard.policies is not None and not guard.policies:
        yield Finding(
            _CHECK, Verdict.WARNING, "There is no admission policy: a pod may write the Members of other pods.", mend
        )
    elif guard.policies is not None and not guard.enforced:
        policies = listed(guard.policies)
        sentence = f"No binding puts {policies} in force: a pod may write the Members of other pods."
        yield Finding(_CHECK, Verdict.WARNING, sentence, mend)
    elif guard.dry_run:
        yield ok(_CHECK, f"A Member of a stranger's pod is refused (tried with a dry run) in {seen.namespace}.")
    elif guard.dry_run == "" and guard.enforced:
        policies = listed(guard.enforced)
        again = (
            f"When the service account {seen.account} has its rights: `kubectl rendezvous doctor -n {seen.namespace}`"
        )
        sentence = (
            f"{policies} is in force, but lets you write others' Members: you are exempt, or {seen.namespace} is."
        )
        yield Finding(_CHECK, Verdict.UNKNOWN, sentence, again)
    elif guard.dry_run == "":
        sentence = f"A Member of a stranger's pod is taken (tried with a dry run) in {seen.namespace}."
        yield Finding(_CHECK, Verdict.WARNING, sentence, mend)
    elif guard.enforced:
        yield ok(_CHECK, f"{listed(guard.enforced)} is in force.")
    else:
        yield Finding(
            _CHECK,
            Verdict.UNKNOWN,
            "We may neither read admission policies nor write a Member to try them.",
            "An administrator can: `kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings`",
        )
