"""With the token of a real trainer's pod: it may take part in its run, as itself, and do nothing else whatever."""

import base64
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from e2e.figures import Figures
from e2e.job_run import JobRun
from e2e.kubectl import Kubectl
from trainer_attempts import API, REFUSED, Attempt, Setting, attempts, send, unbound_attempts

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
NAMES_ONLY = Setting("", "", "", "", "", "", "", "")
REFUSALS = [attempt.what for attempt in attempts(NAMES_ONLY)]
UNBOUND = [attempt.what for attempt in unbound_attempts(NAMES_ONLY)]


@dataclass(frozen=True)
class Scene:
    """The Job's first and second pod, and what is around them.

    Args:
        at: their names.
        own_member: of the first pod.
        token: that Kubernetes has mounted into it.
        unbound: a token of the same account that is bound to no pod.
        send: makes a request with a token; status and object of the answer.
    """

    at: Setting
    own_member: str
    token: str
    unbound: str
    send: Callable[[str, Attempt], tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def scene(job_run: JobRun, kubectl: Kubectl) -> Scene:
    """The real thing."""
    job_run.stands()
    run = job_run.run
    me, other = run.ranked[0], run.ranked[1]
    at = Setting(
        namespace=run.namespace,
        rendezvous=run.name,
        rendezvous_uid=run.rendezvous.uid,
        own_pod=me.pod_name,
        own_pod_uid=me.pod_uid,
        other_pod=other.pod_name,
        other_pod_uid=other.pod_uid,
        other_member=other.name,
    )
    token = kubectl("-n", run.namespace, "exec", me.pod_name, "--", "cat", TOKEN).strip()
    unbound = kubectl("-n", run.namespace, "create", "token", "trainer").strip()
    return Scene(at, me.name, token, unbound, _sender(kubectl))


def _sender(kubectl: Kubectl) -> Callable[[str, Attempt], tuple[int, dict[str, Any]]]:
    cluster = yaml.safe_load(kubectl("config", "view", "--raw", "--flatten", "--minify"))["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    return lambda token, attempt: send(cluster["server"], context, token, attempt)


@pytest.mark.parametrize("what", REFUSALS)
def test_a_trainer_is_refused_to(scene: Scene, what: str) -> None:
    (attempt,) = (one for one in attempts(scene.at) if one.what == what)
    status, answer = scene.send(scene.token, attempt)
    assert status == attempt.answer, answer
    assert attempt.says in answer["message"]


@pytest.mark.parametrize("what", UNBOUND)
def test_a_token_of_no_pod_is_refused_to(scene: Scene, what: str) -> None:
    (attempt,) = (one for one in unbound_attempts(scene.at) if one.what == what)
    status, answer = scene.send(scene.unbound, attempt)
    assert status == REFUSED, answer
    assert attempt.says in answer["message"]


def test_a_trainer_may_take_part_as_itself(scene: Scene) -> None:
    """Else the refusals would prove nothing."""
    here, at = f"{API}/namespaces/{scene.at.namespace}", scene.at
    own, dry = f"{here}/rendezvousmembers/{scene.own_member}", "dryRun=All"
    member = at.member(at.own_pod, at.own_pod_uid)
    for attempt in (
        Attempt("read the Rendezvous", "GET", f"{here}/rendezvous/{at.rendezvous}"),
        Attempt("follow it", "GET", f"{here}/rendezvous?fieldSelector=metadata.name={at.rendezvous}"),
        Attempt("create its Member", "POST", f"{here}/rendezvousmembers?{dry}", member),
        Attempt("read its Member", "GET", own),
        Attempt("change its Member", "PATCH", f"{own}?{dry}", {"metadata": {"labels": {"mine": "yes"}}}),
        Attempt("delete its Member", "DELETE", f"{own}?{dry}"),
    ):
        status, answer = scene.send(scene.token, attempt)
        assert status in (200, 201), (str(attempt), answer)


@pytest.mark.usefixtures("scene")  # else there is nobody who tries
def test_enough_was_tried(figures: Figures) -> None:
    tried = len(REFUSALS) + len(UNBOUND)
    figures.add("attempts with a trainer's token, all refused", tried, "requests")
    assert len(set(REFUSALS)) + len(set(UNBOUND)) == tried >= 40
