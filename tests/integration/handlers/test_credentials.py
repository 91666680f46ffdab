"""Credentials that change while a node runs: what lies in files is read again when the API server refuses it."""

import contextlib
import itertools
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run

pytestmark = pytest.mark.usefixtures("operator")

REVOKED_SECONDS = 60.0  # the API server goes on believing a token for some seconds
RIGHTS = {"rendezvous": "get,list,watch", "rendezvousmembers": "create,get,patch,delete"}

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


class TokenFile:
    """A file with a service account's token, each of which ends with a Secret of its own."""

    def __init__(self, kubectl: Kubectl, namespace: str, file: Path) -> None:
        self._run = lambda *arguments: kubectl("-n", namespace, *arguments)
        self._names = (f"token-{number}" for number in itertools.count())
        self.file = file
        self.said = ""

    def write(self) -> str:
        """Another token, into the file; the name of its Secret."""
        name = next(self._names)
        self._run("create", "secret", "generic", name)
        bound = ("--bound-object-kind=Secret", f"--bound-object-name={name}")
        token = self._run("create", "token", "trainer", *bound)
        assert token.returncode == 0, token.stderr
        self.file.write_text(token.stdout.strip() + "\n")
        return name

    def revoke(self, name: str) -> None:
        """End the token of this Secret."""
        assert self._run("delete", "secret", name).returncode == 0


@pytest.fixture
def token(account: Callable[..., Path], kubectl: Kubectl, namespace: str, tmp_path: Path) -> TokenFile:
    """The file of a trainer's token."""
    account(**RIGHTS)
    return TokenFile(kubectl, namespace, tmp_path / "token")


@pytest.fixture
def kubeconfig(token: TokenFile, kubeconfig_with: Callable[..., Path]) -> Path:
    """A kubeconfig that names that file."""
    return kubeconfig_with(user={"tokenFile": str(token.file)})


def refused(one: Node) -> bool:
    return any(request.status == 401 for request in one.requests)


def test_a_token_file_that_is_written_anew_is_read_again_when_the_old_token_is_refused(
    token: TokenFile, kubeconfig: Path, run: Run, node: Callable[..., Node]
) -> None:
    old = token.write()
    run.create(minNodes=1, maxNodes=1, heartbeatSeconds=1)
    one = node(1, 1, kubeconfig=kubeconfig)
    meet(one)
    token.write()
    token.revoke(old)
    eventually(lambda: refused(one), "the old token is refused", REVOKED_SECONDS)
    count = len(one.requests)
    eventually(lambda: len(one.requests) > count + 3, "heartbeats go on")
    assert {request.status for request in one.requests[count + 1 :]} == {200}
    assert [request.status for request in one.requests].count(401) == 1
    assert not one.told
    meet(one)
    assert run.status.round == 2


def test_a_refused_heartbeat_is_a_warning_at_once_and_the_next_token_makes_it_work_again(
    token: TokenFile, kubeconfig: Path, run: Run, node: Callable[..., Node], caplog: pytest.LogCaptureFixture
) -> None:
    old = token.write()
    run.create(minNodes=1, maxNodes=1, heartbeatSeconds=5)
    one = node(1, 1, kubeconfig=kubeconfig)
    meet(one)
    with caplog.at_level(logging.INFO, "kube_rendezvous"):
        token.revoke(old)
        eventually(lambda: refused(one), "the token is refused", REVOKED_SECONDS)
        eventually(lambda: "does not accept our credentials" in caplog.text, "that is said at once", 2.0)
        assert f"The heartbeat at Rendezvous {run.namespace}/run: " in caplog.text
        token.write()
        eventually(lambda: "The heartbeat at" in caplog.text and "works again" in caplog.text, "and its end")
    assert not one.told
    assert run.status.round == 1


def test_a_member_that_comes_back_between_two_tokens_waits_for_the_next(
    token: TokenFile, kubeconfig: Path, run: Run, node: Callable[..., Node]
) -> None:
    old = token.write()
    run.create(minNodes=1, maxNodes=1, heartbeatSeconds=300)
    one = node(1, 1, kubeconfig=kubeconfig)
    meet(one)
    token.revoke(old)
    stranger = node(1, 1, kubeconfig=kubeconfig)

    def is_revoked() -> bool:
        from kube_rendezvous.cluster import ApiFailureError

        with contextlib.suppress(ApiFailureError):
            stranger.connection.request("GET", f"/apis/rendezvous.dev/v1alpha1/namespaces/{run.namespace}/rendezvous")
        return refused(stranger)

    eventually(is_revoked, "the token is refused", REVOKED_SECONDS)
    back = one.join()
    eventually(lambda: refused(one), "it tries with the token that is refused")
    token.write()
    assert back.result(60).rank == 0
    assert run.status.round == 2
