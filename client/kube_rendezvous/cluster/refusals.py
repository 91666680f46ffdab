"""Failed requests in plain words: what is in the way, and what the reader can do about it.

The cause is read from the API server's sentence, not from the status alone: 403 is also what a used-up quota, a
namespace that goes and an admission webhook answer, and no role helps against those.
"""

import re

from kube_rendezvous.cluster.failures import ApiFailureError, ApiUnavailableError
from kube_rendezvous.printable_text import shell_word
from kube_rendezvous.resources.names import GROUP, MEMBER_PLURAL, RENDEZVOUS_PLURAL

_VERBS = {
    "get": "get,list,watch",
    "list": "get,list,watch",
    "watch": "get,list,watch",
    "patch": "get,patch",
}
_NO_RIGHT = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r"(?P<everywhere> at the cluster scope)?"
)
_ANONYMOUS = "system:anonymous"
_ACCOUNT = "system:serviceaccount:"
_ENDPOINT_IS_A_NAMESPACE = (
    "If it is the name of a host, it was meant for another rendezvous backend: with this one --rdzv-endpoint (or "
    "PET_RDZV_ENDPOINT, which Kubeflow sets) names a namespace; leave it out for the pod's own, or name one with "
    "--rdzv-conf namespace=NAME"
)


def explain_failure(failure: ApiFailureError, namespace: str) -> str:
    """Say what failed, why, and what the reader can do.

    Args:
        failure: the API server's answer, or that there was none.
        namespace: where the request was made.
    """
    if isinstance(failure, ApiUnavailableError):
        return f"the API server {'does not do it now' if failure.status else 'is out of reach'}: {failure}"
    method, path = failure.request.split(" ")[:2]
    plural = MEMBER_PLURAL if MEMBER_PLURAL in path else RENDEZVOUS_PLURAL
    if failure.message.startswith("<"):
        return (
            f"Not the API server answered {failure.request} but something in between, with {failure.status} and a page "
            f"({failure.message[:80]!r}): a proxy (HTTPS_PROXY, NO_PROXY), or a load balancer?"
        )
    if failure.status == 401:
        return (
            f"The API server does not accept our credentials ({failure.message}). In a pod: is the service account's "
            "token mounted (automountServiceAccountToken)? Elsewhere: `kubectl auth whoami` shows who you are"
        )
    if failure.status == 403:
        return _forbidden(failure, f"{method} of {plural}.{GROUP} in namespace {namespace!r}", namespace)
    if failure.status == 404 and f'namespaces "{namespace}" not found' in failure.message:
        return (
            f"There is no namespace {namespace!r}. {_ENDPOINT_IS_A_NAMESPACE}. If you mean a new namespace: "
            f"`kubectl create namespace {namespace}`"
        )
    if failure.status == 404 and failure.reason != "NotFound":
        return (
            f"The API server does not know {plural}.{GROUP}: the custom resource definitions are not installed. "
            "Install kube-rendezvous (`helm install`, or `kubectl apply -f crds/`)"
        )
    if failure.status == 422 and method != "GET":
        return f"The API server finds our {plural} object invalid: {failure.message}"
    return f"The API server refused {failure.request}: {failure.message}"


def _forbidden(failure: ApiFailureError, request: str, namespace: str) -> str:
    message = failure.message
    if "ValidatingAdmissionPolicy" in message:
        return f"An admission policy of the cluster refused {request}: {message}"
    if "admission webhook" in message:
        return f"An admission webhook of the cluster refused {request}: {message}"
    if "exceeded quota" in message:
        return (
            f"A ResourceQuota leaves no room for {request}: {message}. Raise it, or delete what nobody needs: "
            f"`kubectl -n {namespace} describe quota`"
        )
    if "because it is being terminated" in message:
        return (
            f"Namespace {namespace!r} is being deleted, nothing can be made in it any more: {message}. Wait until it "
            "is gone and make it again, or use another one"
        )
    no_right = _NO_RIGHT.search(message)
    if no_right is not None and no_right["user"] == _ANONYMOUS:
        return (
            f"The API server does not know who we are, and lets nobody do {request} without credentials: {message}. In "
            "a pod: is the service account's token mounted (automountServiceAccountToken)? Elsewhere: does the "
            "kubeconfig name a user, and does its exec plugin work? `kubectl auth whoami` shows who you are"
        )
    if no_right is None:
        return f"The API server forbids {request}: {message}"
    return _give_the_right(no_right, message, namespace)


def _give_the_right(no_right: re.Match[str], message: str, namespace: str) -> str:
    """The commands that give the account of the API server's own sentence the right that it lacks."""
    resource, verb, user = no_right["resource"], no_right["verb"], no_right["user"]
    what = f"{resource}.{no_right['group']}" if no_right["group"] else resource
    name, verbs = shell_word(f"rendezvous-{resource.replace('/', '-')}"), _VERBS.get(verb, verb)
    kind, scope, place = ("role", f" -n {shell_word(namespace)}", f" in namespace {namespace!r}")
    if no_right["everywhere"]:
        kind, scope, place = ("clusterrole", "", " in all namespaces")
    account = user.removeprefix(_ACCOUNT)
    whom = f"--{'user' if account == user else 'serviceaccount'}={shell_word(account)}"
    return (
        f"We may not {verb} {what}{place}: {message}. Give the right: "
        f"`kubectl{scope} create {kind} {name} --verb={shell_word(verbs)} --resource={shell_word(what)}` and "
        f"`kubectl{scope} create {kind}binding {name} --{kind}={name} {whom}`"
        f"{_in_anothers_namespace(account, namespace)}"
    )


def _in_anothers_namespace(account: str, namespace: str) -> str:
    """What more to say if a pod asks in a namespace that is not its own: it may be none."""
    parts = account.split(":")
    return f". {_ENDPOINT_IS_A_NAMESPACE}" if len(parts) == 2 and parts[0] != namespace else ""
