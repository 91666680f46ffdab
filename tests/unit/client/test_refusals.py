"""Refusals in plain words, and the errors of the rendezvous API that carry them."""

import pytest

from kube_rendezvous.api import RendezvousConnectionError, RendezvousError, RendezvousStateError
from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous.cluster.refusals import explain_refusal
from kube_rendezvous.membership.plain_errors import plain_errors

MEMBERS = "/apis/rendezvous.dev/v1alpha1/namespaces/team-a/rendezvousmembers"
RENDEZVOUS = "/apis/rendezvous.dev/v1alpha1/namespaces/team-a/rendezvous"


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
            refused(f"POST {MEMBERS}", 403),
            [
                "We may not create rendezvousmembers.rendezvous.dev in namespace 'team-a': said no",
                "kubectl -n team-a create role rendezvous-rendezvousmembers --verb=create "
                "--resource=rendezvousmembers.rendezvous.dev",
                "kubectl -n team-a create rolebinding rendezvous-rendezvousmembers "
                "--role=rendezvous-rendezvousmembers --serviceaccount=team-a:default",
            ],
            id="no right to join",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, 'User "system:serviceaccount:team-b:trainer" cannot create resource'),
            ["--role=rendezvous-rendezvousmembers --serviceaccount=team-b:trainer`"],
            id="no right to join, for a pod's account",
        ),
        pytest.param(
            refused(f"POST {MEMBERS}", 403, 'rendezvousmembers is forbidden: User "ann" cannot create resource'),
            ["--role=rendezvous-rendezvousmembers --user=ann`"],
            id="no right to join, for a user",
        ),
        pytest.param(
            refused(f"PATCH {MEMBERS}/a", 403), ["We may not get", "--verb=get,patch"], id="no right to renew"
        ),
        pytest.param(
            refused(f"GET {RENDEZVOUS}", 403),
            ["We may not get rendezvous.rendezvous.dev", "--verb=get,list,watch --resource=rendezvous.rendezvous.dev"],
            id="no right to look",
        ),
        pytest.param(refused(f"GET {RENDEZVOUS} (watch)", 403), ["--verb=get,list,watch"], id="no right to watch"),
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
            refused(f"POST {MEMBERS}", 403, 'User "system:serviceaccount:team-b:trainer" cannot create resource'),
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
    text = explain_refusal(failure, "team-a")
    for sentence in sentences:
        assert sentence in text


def test_a_pod_that_lacks_a_right_in_its_own_namespace_hears_nothing_of_hosts() -> None:
    message = 'User "system:serviceaccount:team-a:trainer" cannot create resource'
    assert "host" not in explain_refusal(refused(f"POST {MEMBERS}", 403, message), "team-a")


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
