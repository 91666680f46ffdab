"""With the token of a trainer's service account, as a pod has it, nothing can be done but to take part as that pod."""

import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.chart.conftest import TRAINERS
from integration.conftest import Kubectl
from rendezvous_local.cluster import Cluster
from trainer_attempts import API, REFUSED, Attempt, Setting, attempts, send, unbound_attempts

Send = Callable[[str, Attempt], tuple[int, dict[str, Any]]]
MEMBERS = f"{API}/namespaces/{TRAINERS}/rendezvousmembers"


@pytest.fixture(scope="module")
def try_(cluster: Cluster) -> Send:
    """Makes a request with a token."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    context = ssl.create_default_context(cafile=str(Path(config["certificate-authority"])))
    return lambda token, attempt: send(config["server"], context, token, attempt)


def _create(kubectl: Kubectl, manifest: dict[str, Any]) -> dict[str, Any]:
    made = kubectl("-n", TRAINERS, "create", "-o", "json", "-f", "-", stdin=json.dumps(manifest))
    assert made.returncode == 0, made.stderr
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def _pod(kubectl: Kubectl, name: str) -> str:
    containers = [{"name": "trainer", "image": "trainer:1"}]
    spec = {"serviceAccountName": "trainer", "containers": containers}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    return str(_create(kubectl, pod)["metadata"]["uid"])


@pytest.fixture(scope="module")
def setting(installed: str, kubectl: Kubectl) -> Setting:
    """Two pods of the trainer's account, a Rendezvous, and a Member of the second pod."""
    body = {"apiVersion": "rendezvous.dev/v1alpha1", "kind": "Rendezvous", "metadata": {"name": "run"}}
    run = _create(kubectl, {**body, "spec": {"minNodes": 2}})
    own, other = _pod(kubectl, "own"), _pod(kubectl, "other")
    setting = Setting(TRAINERS, "run", run["metadata"]["uid"], "own", own, "other", other, "member-of-other")
    _create(kubectl, setting.member("other", other, "member-of-other"))
    return setting


def _token(kubectl: Kubectl, *bound: str) -> str:
    made = kubectl("-n", TRAINERS, "create", "token", "trainer", *bound)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def bound(setting: Setting, kubectl: Kubectl, try_: Send) -> str:
    """A token as the pod `own` has it; the policy is at work."""
    token = _token(kubectl, "--bound-object-kind=Pod", "--bound-object-name=own")
    dry = Attempt("", "POST", f"{MEMBERS}?dryRun=All", setting.member("", ""))
    deadline = time.monotonic() + 30
    while try_(token, dry)[0] != REFUSED:
        assert time.monotonic() < deadline, "the ValidatingAdmissionPolicy is not at work after 30 s"
        time.sleep(0.1)
    return token


def test_every_attempt_is_refused(setting: Setting, bound: str, try_: Send) -> None:
    table = attempts(setting)
    assert len(table) >= 100
    allowed = [
        (str(attempt), status, answer.get("message"))
        for attempt in table
        for status, answer in [try_(bound, attempt)]
        if status != attempt.answer or attempt.says not in answer["message"]
    ]
    assert not allowed


def test_a_token_that_is_bound_to_no_pod_can_write_no_member(
    setting: Setting, bound: str, kubectl: Kubectl, try_: Send
) -> None:
    unbound = _token(kubectl)
    for attempt in unbound_attempts(setting):
        status, answer = try_(unbound, attempt)
        assert (status, attempt.says in answer["message"]) == (REFUSED, True), (str(attempt), answer)


def test_a_pod_writes_its_own_member(setting: Setting, bound: str, try_: Send) -> None:
    created, member = try_(bound, Attempt("", "POST", MEMBERS, setting.member("own", setting.own_pod_uid)))
    assert created == 201, member
    path = f"{MEMBERS}/{member['metadata']['name']}"
    assert try_(bound, Attempt("", "PATCH", path, {"spec": {"afterRound": 1}}))[0] == 200
    assert try_(bound, Attempt("", "GET", path))[0] == 200
    assert try_(bound, Attempt("", "GET", f"{API}/namespaces/{TRAINERS}/rendezvous/run"))[0] == 200
    assert try_(bound, Attempt("", "DELETE", path))[0] == 200


def test_a_pod_writes_no_slice_whatever_its_role_says(
    setting: Setting, bound: str, installed: str, kubectl: Kubectl, try_: Send
) -> None:
    account = f"--serviceaccount={TRAINERS}:trainer"
    for more in (
        ["create", "role", "slices", "--verb=*", "--resource=rendezvousslices.rendezvous.dev"],
        ["create", "rolebinding", "slices", "--role=slices", account],
    ):
        assert kubectl("-n", TRAINERS, *more).returncode == 0
    spec = {"rendezvous": "run", "rendezvousUID": setting.rendezvous_uid, "round": 1}
    body = {"apiVersion": "rendezvous.dev/v1alpha1", "kind": "RendezvousSlice", "metadata": {"name": "run-a"}}
    forged = json.dumps({**body, "spec": spec})
    try:
        path = f"{API}/namespaces/{TRAINERS}/rendezvousslices"
        status, answer = try_(bound, Attempt("", "POST", path, {**body, "spec": spec}))
        assert (status, "by the operator alone" in answer["message"]) == (REFUSED, True)
        made = kubectl("-n", TRAINERS, "create", "-f", "-", stdin=forged)
        assert made.returncode == 0, made.stderr
        status, answer = try_(bound, Attempt("", "DELETE", f"{path}/run-a"))
        assert (status, "by the operator alone" in answer["message"]) == (REFUSED, True)
        assert try_(bound, Attempt("", "GET", f"{path}/run-a"))[0] == 200
    finally:
        kubectl("-n", TRAINERS, "delete", "role/slices", "rolebinding/slices", "rdzvs/run-a")


def test_the_operator_and_administrators_may_delete_a_member(
    setting: Setting, bound: str, installed: str, kubectl: Kubectl
) -> None:
    operator = f"system:serviceaccount:{installed}:kube-rendezvous"
    for who, allowed in (
        (["--as", operator], True),
        (["--as", operator.replace("rendezvous", "other")], False),
        ([], True),
    ):
        answer = kubectl("-n", TRAINERS, *who, "delete", "rdzvm", setting.other_member, "--dry-run=server")
        assert (answer.returncode == 0) is allowed, answer.stderr
