"""Refusals in plain words, and the errors of the rendezvous API that carry them."""

import pytest

from kube_rendezvous.api import RendezvousConnectionError, RendezvousError, RendezvousStateError
from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous.cluster.refusals import explain_failure
from kube_rendezvous.membership.plain_errors import plain_errors

MEMBERS = "/apis/rendezvous.dev/v1alpha1/namespaces/team-a/rendezvousmembers"
RENDEZVOUS = "/apis/rendezvous.dev/v1alpha1/namespaces/team-a/rendezvous"


def cannot(user: str, verb: str, resource: str, scope: str = 'in the namespace "team-a"') -> str:
    """The authorizer's sentence."""
    right = f'User "{user}" cannot {verb} resource "{resource}" in API group "rendezvous.dev" {scope}'
    return f"{resource}.rendezvous.dev is forbidden: {right}"


EVERYWHERE = "at the cluster scope"
TRAINER_OF_B = "system:serviceaccount:team-b:trainer"
NO_PODS = (
    'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "team-a": RBAC: role '
    "not found"
)
ACCOUNT = "system:serviceaccount:team-b:trainer"


def refused(request: str, status: int, message: str = "said no", reason: str = "") -> ApiRefusedError:
    return ApiRefusedError(request, status, reason, message)


@pytest.mark.parametrize(
    ("failure", "sentences"),
    [
        pytest.param(
            refused(f"GET {RENDEZVOUS}", 401, "Unauthorized"),
            ["does not accept our credentials (Unauthorized)", "kubectl auth whoami"],
            id="401",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, cannot(ACCOUNT, "create", "rendezvousmembers")),
            [
                "We may not create rendezvousmembers.rendezvous.dev in namespace 'team-a': rendezvousmembers.rendez",
                "`kubectl -n team-a create role rendezvous-rendezvousmembers --verb=create "
                "--resource=rendezvousmembers.rendezvous.dev`",
                "`kubectl -n team-a create rolebinding rendezvous-rendezvousmembers "
                "--role=rendezvous-rendezvousmembers --serviceaccount=team-b:trainer`",
            ],
            id="no right to join, for a pod's account",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, cannot("ann", "create", "rendezvousmembers")),
            ["--role=rendezvous-rendezvousmembers --user=ann`"],
            id="no right to join, for a user",
        ),
        pytest.param(
            refused(f"PATCH {MEMBERS}/a", 403, cannot(ACCOUNT, "patch", "rendezvousmembers")),
            ["We may not patch", "--verb=get,patch"],
            id="no right to renew",
        ),
        pytest.param(
            refused(f"GET {RENDEZVOUS}", 403, cannot(ACCOUNT, "list", "rendezvous")),
            ["We may not list rendezvous.rendezvous.dev", "--verb=get,list,watch --resource=rendezvous.rendezvous.dev"],
            id="no right to look",
        ),
        pytest.param(
            refused(f"GET {RENDEZVOUS} (watch)", 403, cannot(ACCOUNT, "watch", "rendezvous")),
            ["--verb=get,list,watch"],
            id="no right to watch",
        ),
        pytest.param(
            refused(
                "GET /apis/rendezvous.dev/v1alpha1/rendezvous", 403, cannot("ann", "list", "rendezvous", EVERYWHERE)
            ),
            [
                "We may not list rendezvous.rendezvous.dev in all namespaces",
                "`kubectl create clusterrole rendezvous-rendezvous --verb=get,list,watch",
                "`kubectl create clusterrolebinding rendezvous-rendezvous --clusterrole=rendezvous-rendezvous "
                "--user=ann`",
            ],
            id="no right to look everywhere",
        ),
        pytest.param(
            refused("GET /api/v1/namespaces/team-a/pods", 403, NO_PODS),
            ["We may not list pods in namespace 'team-a'", "--resource=pods`"],
            id="no right to see something else",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, "ValidatingAdmissionPolicy 'own-pod' denied request: not your pod"),
            ["An admission policy of the cluster refused POST of rendezvousmembers", "not your pod"],
            id="an admission policy",
        ),
        pytest.param(
            refused(f"POST {RENDEZVOUS}", 404, 'namespaces "team-a" not found'),
            [
                "There is no namespace 'team-a'",
                "kubectl create namespace team-a",
                "name of a host",
                "--rdzv-endpoint (or PET_RDZV_ENDPOINT, which Kubeflow sets) names a namespace",
            ],
            id="no namespace",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, cannot(TRAINER_OF_B, "create", "rendezvousmembers")),
            ["If it is the name of a host", "PET_RDZV_ENDPOINT"],
            id="no right in a namespace that may be a host",
        ),
        pytest.param(
            refused(f"GET {RENDEZVOUS}", 404, "404 page not found"),
            ["does not know rendezvous.rendezvous.dev", "kubectl apply -f crds/"],
            id="no CRD",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 422, "spec.port: Invalid value: -1"),
            ["finds our rendezvousmembers object invalid: spec.port: Invalid value: -1"],
            id="invalid",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 413, "too large"), [f"refused POST {MEMBERS}: too large"], id="anything else"
        ),
    ],
)
def test_a_refusal_says_what_is_missing_and_what_would_give_it(failure: ApiFailureError, sentences: list[str]) -> None:
    text = explain_failure(failure, "team-a")
    for sentence in sentences:
        assert sentence in text


QUOTA = (
    'rendezvousmembers.rendezvous.dev "a-x7k2p" is forbidden: exceeded quota: few, requested: '
    "count/rendezvousmembers.rendezvous.dev=1, used: count/rendezvousmembers.rendezvous.dev=1, limited: "
    "count/rendezvousmembers.rendezvous.dev=1"
)
TERMINATING = (
    'rendezvousmembers.rendezvous.dev "a-x7k2p" is forbidden: unable to create new content in namespace team-a because '
    "it is being terminated"
)


@pytest.mark.parametrize(
    ("failure", "sentences"),
    [
        pytest.param(
            refused(f"POST {MEMBERS}", 403, QUOTA),
            ["A ResourceQuota leaves no room", "exceeded quota: few", "kubectl -n team-a describe quota"],
            id="a quota",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, TERMINATING),
            ["Namespace 'team-a' is being deleted"],
            id="the namespace goes",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, 'admission webhook "guard.example.org" denied the request: no label'),
            ["An admission webhook of the cluster refused POST of rendezvousmembers", "no label"],
            id="a webhook",
        ),
        pytest.param(
            refused(f"GET {RENDEZVOUS}", 403, cannot("system:anonymous", "list", "rendezvous")),
            ["does not know who we are", "automountServiceAccountToken", "kubectl auth whoami"],
            id="nobody",
        ),
        pytest.param(
            refused(f"GET {RENDEZVOUS}", 403, "<html><h1>Blocked by your IT department</h1>"),
            ["Not the API server answered", "Blocked by your IT", "HTTPS_PROXY"],
            id="a proxy's page",
        ),
        pytest.param(
            refused(f"GET {RENDEZVOUS}", 404, "<html>no such page"), ["Not the API server answered"], id="a proxy's 404"
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, "said no"),
            ["The API server forbids POST of rendezvousm"],
            id="anything else",
        ),
        pytest.param(
            refused(f"PATCH {MEMBERS}/a", 404, 'rendezvousmembers.rendezvous.dev "a" not found', "NotFound"),
            [f'refused PATCH {MEMBERS}/a: rendezvousmembers.rendezvous.dev "a" not found'],
            id="an object that is not there",
        ),
    ],
)
def test_a_role_is_advised_only_where_the_api_server_says_that_this_user_lacks_it(
    failure: ApiFailureError, sentences: list[str]
) -> None:
    text = explain_failure(failure, "team-a")
    for sentence in sentences:
        assert sentence in text
    assert "create role" not in text
    assert "install" not in text


def test_a_pod_that_lacks_a_right_in_its_own_namespace_hears_nothing_of_hosts() -> None:
    message = cannot("system:serviceaccount:team-a:trainer", "create", "rendezvousmembers")
    assert "host" not in explain_failure(refused(f"POST {MEMBERS}", 403, message), "team-a")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ApiUnavailableError(f"GET {RENDEZVOUS}", 0, "", "timed out"), RendezvousConnectionError),
        (ApiUnavailableError(f"GET {RENDEZVOUS}", 503, "", "not ready"), RendezvousConnectionError),
        (refused(f"GET {RENDEZVOUS}", 401), RendezvousConnectionError),
        (refused(f"GET {RENDEZVOUS}", 403), RendezvousConnectionError),
        (refused(f"GET {RENDEZVOUS}", 404), RendezvousStateError),
        (refused(f"POST {MEMBERS}", 422), RendezvousStateError),
    ],
)
def test_a_failure_becomes_the_rendezvous_error_that_says_whose_fault_it_is(
    failure: ApiFailureError, kind: type[RendezvousError]
) -> None:
    with (
        pytest.raises(RendezvousError, match=r"^Rendezvous team-a/run: ") as raised,
        plain_errors("Rendezvous team-a/run", "team-a"),
    ):
        raise failure
    assert type(raised.value) is kind
    assert raised.value.__cause__ is failure


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), plain_errors("Rendezvous team-a/run", "team-a"):
        _ = 1 / 0
