"""The service account of the training pods may do what it must, and no more; the operator likewise."""

from collections.abc import Iterable

from kube_rendezvous.resources import MEMBER_PLURAL, RENDEZVOUS_PLURAL, SLICE_PLURAL
from kube_rendezvous.resources.names import GROUP
from kubectl_rendezvous.doctor.finding import Finding, Verdict, ok
from kubectl_rendezvous.doctor.surroundings import Right, Surroundings
from kubectl_rendezvous.wording import listed


def _rights(verbs: str, resource: str, group: str = GROUP) -> tuple[Right, ...]:
    return tuple(Right(verb, group, resource) for verb in verbs.split())


TRAINER_NEEDS = (
    *_rights("create get patch delete", MEMBER_PLURAL),
    *_rights("get list watch", RENDEZVOUS_PLURAL),
    *_rights("get list", SLICE_PLURAL),
)
TRAINER_MAY_WANT = _rights("create", RENDEZVOUS_PLURAL)
"""Only for `create=if-missing`, where nodes make a Rendezvous that nobody applied."""
TRAINER_SHOULD_NOT = (
    *_rights("update patch", f"{RENDEZVOUS_PLURAL}/status"),
    *_rights("create delete", SLICE_PLURAL),
    *_rights("deletecollection", MEMBER_PLURAL),
)
"""With the first two it could forge rounds; by the third the guard knows an administrator."""
OPERATOR_NEEDS = (
    *_rights("get list watch", RENDEZVOUS_PLURAL),
    *_rights("update", f"{RENDEZVOUS_PLURAL}/status"),
    *_rights("get list watch delete", MEMBER_PLURAL),
    *_rights("get list create delete", SLICE_PLURAL),
    *_rights("list watch", "pods", ""),
    *_rights("create", "events", ""),
)


def check_trainer(seen: Surroundings) -> Iterable[Finding]:
    """The training pods' service account."""
    who = f"service account {seen.namespace}/{seen.account}"
    if seen.account_exists is False:
        create = f"`kubectl -n {seen.namespace} create serviceaccount {seen.account}`"
        yield Finding("trainer", Verdict.PROBLEM, f"There is no {who}.", create)
    if seen.account_may is None:
        can = f"kubectl auth can-i create {MEMBER_PLURAL}.{GROUP} -n {seen.namespace} --as=system:serviceaccount"
        yield Finding(
            "trainer",
            Verdict.UNKNOWN,
            f"We may not ask what {who} may do.",
            f"An administrator can: `{can}:{seen.namespace}:{seen.account}`",
        )
        return
    missing = [right for right in TRAINER_NEEDS if not seen.account_may[right]]
    if missing:
        yield Finding(
            "trainer",
            Verdict.PROBLEM,
            f"The {who} may not {listed([right.text for right in missing], 10)}.",
            f"`{grant_trainer(seen.namespace, seen.account)}`",
        )
    elif seen.account_exists is not False:
        wants = all(seen.account_may[right] for right in TRAINER_MAY_WANT)
        creates = "" if wants else " It may make no Rendezvous: apply them before the job (create=never)."
        yield ok("trainer", f"The {who} may do what a trainer does.{creates}")
    too_much = [right for right in TRAINER_SHOULD_NOT if seen.account_may[right]]
    if too_much:
        yield Finding(
            "trainer",
            Verdict.WARNING,
            f"The {who} may {listed([right.text for right in too_much])}: a trainer could disturb others' runs.",
            f"See by which binding, and remove it: `kubectl get rolebindings,clusterrolebindings -n {seen.namespace} "
            f"-o wide | grep {seen.account}`",
        )


def check_operators_rights(seen: Surroundings) -> Iterable[Finding]:
    """The operator's own service account."""
    if seen.operator_may is None:
        return
    missing = [right.text for right in OPERATOR_NEEDS if not seen.operator_may[right]]
    if missing:
        sentence = f"The operator may not {listed(missing, 15)} in {seen.namespace}."
        yield Finding("rights", Verdict.PROBLEM, sentence, f"`{seen.install} --set rbac.create=true`")
    else:
        yield ok("rights", f"The operator may do in {seen.namespace} what it must.")


def grant_trainer(namespace: str, account: str) -> str:
    """The commands that give a service account a trainer's rights."""
    kubectl = f"kubectl -n {namespace}"
    parts = []
    for name, resource, verbs in (
        ("rendezvous-member", MEMBER_PLURAL, "create,get,patch,delete"),
        ("rendezvous-reader", RENDEZVOUS_PLURAL, "get,list,watch,create"),
        ("rendezvous-slices", SLICE_PLURAL, "get,list"),
    ):
        parts.append(f"{kubectl} create role {name} --verb={verbs} --resource={resource}.{GROUP}")
        subject = f"--serviceaccount={namespace}:{account}"
        parts.append(f"{kubectl} create rolebinding {name}-{account} --role={name} {subject}")
    return " && ".join(parts)
