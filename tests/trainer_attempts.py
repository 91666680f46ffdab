"""What somebody with a trainer's token tries, and what must come of it: with pods that are objects only, and real ones.

`attempts` is the table; `send` tries one of its lines.
"""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
API = "/apis/rendezvous.dev/v1alpha1"
MERGE_PATCH = "application/merge-patch+json"
REFUSED = 403
INVALID = 422


@dataclass(frozen=True)
class Setting:
    """Where it is tried.

    Args:
        namespace: of the trainer.
        rendezvous, rendezvous_uid: that is there.
        own_pod, own_pod_uid: the pod to which the token is bound.
        other_pod, other_pod_uid: another pod of the namespace.
        other_member: a Member of that other pod, which is there.
    """

    namespace: str
    rendezvous: str
    rendezvous_uid: str
    own_pod: str
    own_pod_uid: str
    other_pod: str
    other_pod_uid: str
    other_member: str

    def member(self, pod: str, uid: str, name: str = "") -> dict[str, Any]:
        """A Member that names this pod."""
        return {
            "apiVersion": "rendezvous.dev/v1alpha1",
            "kind": "RendezvousMember",
            "metadata": {"name": name} if name else {"generateName": "attempt-"},
            "spec": {
                "rendezvous": self.rendezvous,
                "rendezvousUID": self.rendezvous_uid,
                "podName": pod,
                "podUID": uid,
                "address": "127.0.0.1",
                "port": 12345,
            },
        }


@dataclass(frozen=True)
class Attempt:
    """One request, and what it must be answered; `says` is in the answer."""

    what: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    says: str = ""
    answer: int = REFUSED

    def __str__(self) -> str:
        return self.what


def attempts(at: Setting) -> list[Attempt]:
    """All that must be refused to a trainer whose token is bound to its pod."""
    return [*_rights(at), *_members_of_others(at), *_fields_of_its_own(at)]


def unbound_attempts(at: Setting) -> list[Attempt]:
    """All writes that must be refused to the same account with a token that is bound to no pod."""
    members = f"{API}/namespaces/{at.namespace}/rendezvousmembers"
    other, says = f"{members}/{at.other_member}", "bound to no pod"
    return [
        Attempt("create a Member of the pod", "POST", members, at.member(at.own_pod, at.own_pod_uid), says),
        Attempt("create a Member of another pod", "POST", members, at.member(at.other_pod, at.other_pod_uid), says),
        Attempt("create a Member of no pod", "POST", members, at.member("", ""), says),
        Attempt("change a Member", "PATCH", other, {"spec": {"leaving": True}}, says),
        Attempt("delete a Member", "DELETE", other, None, says),
    ]


def _members_of_others(at: Setting) -> Iterator[Attempt]:
    members = f"{API}/namespaces/{at.namespace}/rendezvousmembers"
    other = f"{members}/{at.other_member}"
    says = "only by the pod that it names"
    for what, pod, uid in (
        ("another pod", at.other_pod, at.other_pod_uid),
        ("no pod", "", ""),
        ("its pod's name with another UID", at.own_pod, at.other_pod_uid),
        ("another name with its pod's UID", at.other_pod, at.own_pod_uid),
    ):
        yield Attempt(f"create a Member that names {what}", "POST", members, at.member(pod, uid), says)
    for field, value in (("leaving", True), ("closeRequested", True), ("port", 1), ("afterRound", 99)):
        yield Attempt(f"change {field} of another pod's Member", "PATCH", other, {"spec": {field: value}}, says)
    labels = {"metadata": {"labels": {"stolen": "yes"}}}
    yield Attempt("change the labels of another pod's Member", "PATCH", other, labels, says)
    yield Attempt("delete another pod's Member", "DELETE", other, None, says)


def _fields_of_its_own(at: Setting) -> Iterator[Attempt]:
    """Members of its own pod, with content that the API server must not take."""
    members = f"{API}/namespaces/{at.namespace}/rendezvousmembers"
    for field, value, says in (
        ("address", "10.0.0.1:80/\n", "spec.address"),
        ("address", "$(id)", "spec.address"),
        ("address", "", "spec.address"),
        ("address", "a" * 254, "spec.address"),
        ("port", 0, "spec.port"),
        ("port", 65536, "spec.port"),
        ("port", "80", "spec.port"),
        ("afterRound", -1, "spec.afterRound"),
        ("afterRound", 2**53, "spec.afterRound"),
        ("slot", "s" * 64, "spec.slot"),
        ("rendezvous", "../other", "spec.rendezvous"),
        ("rendezvous", "", "spec.rendezvous"),
        ("rendezvousUID", "u" * 65, "spec.rendezvousUID"),
        ("renewTime", "never", "spec.renewTime"),
        ("closeReason", "r" * 257, "spec.closeReason"),
        ("nodeName", "n" * 254, "spec.nodeName"),
    ):
        body = at.member(at.own_pod, at.own_pod_uid)
        body["spec"][field] = value
        yield Attempt(f"create a Member with {field} {value!r:.20}", "POST", members, body, says, INVALID)


def _rights(at: Setting) -> Iterator[Attempt]:
    here = f"{API}/namespaces/{at.namespace}"
    core, run = f"/api/v1/namespaces/{at.namespace}", f"{here}/rendezvous/{at.rendezvous}"
    for verb, method, path in (
        ("list Members", "GET", f"{here}/rendezvousmembers"),
        ("watch Members", "GET", f"{here}/rendezvousmembers?watch=1"),
        ("delete all Members", "DELETE", f"{here}/rendezvousmembers"),
        ("replace another's Member", "PUT", f"{here}/rendezvousmembers/{at.other_member}"),
        ("create a RendezvousSlice", "POST", f"{here}/rendezvousslices"),
        ("change a RendezvousSlice", "PATCH", f"{here}/rendezvousslices/run-a"),
        ("delete a RendezvousSlice", "DELETE", f"{here}/rendezvousslices/run-a"),
        ("change the Rendezvous", "PATCH", run),
        ("replace the Rendezvous", "PUT", run),
        ("delete the Rendezvous", "DELETE", run),
        ("delete all Rendezvous", "DELETE", f"{here}/rendezvous"),
        ("write the status", "PATCH", f"{run}/status"),
        ("replace the status", "PUT", f"{run}/status"),
        ("list the cluster's Rendezvous", "GET", f"{API}/rendezvous"),
        ("list the cluster's Members", "GET", f"{API}/rendezvousmembers"),
        ("list another namespace's Rendezvous", "GET", f"{API}/namespaces/kube-system/rendezvous"),
        ("create a Member in another namespace", "POST", f"{API}/namespaces/kube-system/rendezvousmembers"),
        ("list Nodes", "GET", "/api/v1/nodes"),
        ("list Namespaces", "GET", "/api/v1/namespaces"),
        ("create a binding", "POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{at.namespace}/rolebindings"),
        ("read the cluster's roles", "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
        ("read the CRDs", "GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
        (
            "delete the policy",
            "DELETE",
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/kube-rendezvous-members",
        ),
        ("take the lease", "POST", f"/apis/coordination.k8s.io/v1/namespaces/{at.namespace}/leases"),
        ("create an Event", "POST", f"{core}/events"),
        ("make a token", "POST", f"{core}/serviceaccounts/trainer/token"),
        ("run in a pod", "POST", f"{core}/pods/{at.other_pod}/exec?command=id"),
        ("evict a pod", "POST", f"{core}/pods/{at.other_pod}/eviction"),
        ("read a pod's log", "GET", f"{core}/pods/{at.other_pod}/log"),
        ("delete a pod", "DELETE", f"{core}/pods/{at.other_pod}"),
        ("change a pod's labels", "PATCH", f"{core}/pods/{at.other_pod}"),
        ("change its own pod's labels", "PATCH", f"{core}/pods/{at.own_pod}"),
        ("write a pod's status", "PATCH", f"{core}/pods/{at.own_pod}/status"),
        ("scale the Rendezvous", "PATCH", f"{run}/scale"),
        ("impersonate the operator", "POST", "/apis/authentication.k8s.io/v1/tokenreviews"),
        ("read the operator's lease", "GET", "/apis/coordination.k8s.io/v1/namespaces/chart-system/leases"),
        ("read the operator's pods", "GET", "/api/v1/namespaces/chart-system/pods"),
        ("read flow schemas", "GET", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"),
        ("create a webhook", "POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"),
        ("read the binding of the policy", "GET", _BINDINGS),
        ("create a namespace", "POST", "/api/v1/namespaces"),
        ("list jobs", "GET", f"/apis/batch/v1/namespaces/{at.namespace}/jobs"),
        ("delete all jobs", "DELETE", f"/apis/batch/v1/namespaces/{at.namespace}/jobs"),
        ("raise its quota", "POST", f"{core}/resourcequotas"),
        ("read quotas", "GET", f"{core}/resourcequotas"),
        ("open the network", "POST", f"/apis/networking.k8s.io/v1/namespaces/{at.namespace}/networkpolicies"),
        ("list stateful sets", "GET", f"/apis/apps/v1/namespaces/{at.namespace}/statefulsets"),
        ("read metrics", "GET", "/metrics"),
    ):
        yield Attempt(verb, method, path, None if method in ("GET", "DELETE") else {})
    for resource in (
        *("pods", "secrets", "configmaps", "serviceaccounts", "services", "endpoints", "persistentvolumeclaims"),
        *("replicationcontrollers", "limitranges", "podtemplates"),
    ):
        for verb, method in (("list", "GET"), ("create", "POST"), ("delete all", "DELETE")):
            yield Attempt(f"{verb} {resource}", method, f"{core}/{resource}", {} if method == "POST" else None)


def send(url: str, context: ssl.SSLContext, token: str, attempt: Attempt) -> tuple[int, dict[str, Any]]:
    """Make the request with this token; the status and the object of the answer."""
    data = None if attempt.body is None else json.dumps(attempt.body).encode()
    kind = MERGE_PATCH if attempt.method == "PATCH" else "application/json"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind, "Accept": "application/json"}
    request = urllib.request.Request(url + attempt.path, data, headers, method=attempt.method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=30) as answer:
            return int(answer.status), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
