"""Refusals in plain words: which right or object is missing, and the command that would give it."""

import re

from kube_rendezvous.cluster.failures import ApiFailureError
from kube_rendezvous.printable_text import shell_word
from kube_rendezvous.resources.names import GROUP, MEMBER_PLURAL, RENDEZVOUS_PLURAL

_VERBS = {"GET": "get,list,watch", "POST": "create", "PATCH": "get,patch", "PUT": "update", "DELETE": "delete"}
_USER = re.compile(r'User "([^"]+)" cannot')


def explain_refusal(failure: ApiFailureError, namespace: str) -> str:
    """Say what was refused, why, and what the reader can do.

    Args:
        failure: the API server's answer.
        namespace: where the request was made.
    """
    method, path = failure.request.split(" ")[:2]
    plural = MEMBER_PLURAL if MEMBER_PLURAL in path else RENDEZVOUS_PLURAL
    if failure.status == 401:
        return (
            f"The API server does not accept our credentials ({failure.message}). In a pod: is the service account's "
            "token mounted (automountServiceAccountToken)? Elsewhere: `kubectl auth whoami` shows who you are"
        )
    if failure.status == 403:
        return _forbidden(failure, method, plural, namespace)
    if failure.status == 404 and f'namespaces "{namespace}" not found' in failure.message:
        return (
            f"There is no namespace {namespace!r}: `kubectl create namespace {namespace}`, or name another one with "
            "--rdzv-endpoint"
        )
    if failure.status == 404:
        return (
            f"The API server does not know {plural}.{GROUP}: the custom resource definitions are not installed. "
            "Install kube-rendezvous (`helm install`, or `kubectl apply -f crds/`)"
        )
    if failure.status == 422:
        return f"The API server finds our {plural} object invalid: {failure.message}"
    return f"The API server refused {failure.request}: {failure.message}"


def _forbidden(failure: ApiFailureError, method: str, plural: str, namespace: str) -> str:
    verbs = _VERBS.get(method, method.lower())
    if "ValidatingAdmissionPolicy" in failure.message:
        return f"An admission policy of the cluster refused {method} of {plural}: {failure.message}"
    return (
        f"We may not {verbs.split(',')[0]} {plural}.{GROUP} in namespace {namespace!r}: {failure.message}. "
        "Give the right: "
        f"`kubectl -n {namespace} create role rendezvous-{plural} --verb={verbs} --resource={plural}.{GROUP}` and "
        f"`kubectl -n {namespace} create rolebinding rendezvous-{plural} --role=rendezvous-{plural} "
        f"{_whom(failure.message, namespace)}"
    )


def _whom(message: str, namespace: str) -> str:
    """The end of the command, for the account that the API server names in its answer."""
    found = _USER.search(message)
    if found is None:
        return f"--serviceaccount={namespace}:default` (or --user=NAME)"
    account = found[1].removeprefix("system:serviceaccount:")
    return f"--{'user' if account == found[1] else 'serviceaccount'}={shell_word(account)}`"
