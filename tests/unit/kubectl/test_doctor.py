"""The doctor's checks, one table each, from what was read."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube_rendezvous.resources import RENDEZVOUS_PLURAL
from kubectl_rendezvous.doctor import in_the_pod
from kubectl_rendezvous.doctor.checks import examine
from kubectl_rendezvous.doctor.clocks import check_clocks
from kubectl_rendezvous.doctor.definitions import NAMES, WRITTEN_FIELDS, check_definitions, check_kubernetes
from kubectl_rendezvous.doctor.finding import Finding
from kubectl_rendezvous.doctor.guard import check_guard
from kubectl_rendezvous.doctor.installed import read_definition, read_deployment
from kubectl_rendezvous.doctor.operator_presence import check_operator
from kubectl_rendezvous.doctor.probe_pods import picks_users, pod_manifest, read_probe
from kubectl_rendezvous.doctor.rights import OPERATOR_NEEDS, TRAINER_MAY_WANT, TRAINER_NEEDS, TRAINER_SHOULD_NOT
from kubectl_rendezvous.doctor.surroundings import (
    Answer,
    Clocks,
    Definition,
    Deployment,
    Guard,
    ProbedPod,
    SeenLease,
    Surroundings,
)
from kubectl_rendezvous.doctor.training_image import check_cluster_from_pods, check_image, check_network

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CRDS = Path(__file__).resolve().parents[3] / "crds"

DEPLOYMENT = Deployment("sys", "kube-rendezvous", 2, 2, "0.1.0", "kube-rendezvous", "op", (), "")
HEALTHY = Surroundings(
    namespace="ml",
    operator_namespace="sys",
    account="trainer",
    kubernetes=(1, 37),
    served=("v1alpha1",),
    definitions={name: Definition(("v1alpha1",), True, "", WRITTEN_FIELDS[name.partition(".")[0]]) for name in NAMES},
    deployments=(DEPLOYMENT,),
    lease=SeenLease("pod-a", NOW, 15.0),
    lease_readable=True,
    account_exists=True,
    account_may={
        **dict.fromkeys((*TRAINER_NEEDS, *TRAINER_MAY_WANT), True),
        **dict.fromkeys(TRAINER_SHOULD_NOT, False),
    },
    operator_may=dict.fromkeys(OPERATOR_NEEDS, True),
    guard=Guard(("members",), ("members",), (), "refused"),
    clocks=Clocks(0.1, 0.5),
    observed=(0, 0),
    now=NOW,
)
REPORT = {"python": "3.13.1", "torch": "2.15.0+cu130", "kubeRendezvous": "0.1.0", "time": NOW.timestamp()}


def told(findings: Any) -> list[tuple[str, str]]:
    """Verdicts, and how the sentences begin."""
    found: list[Finding] = list(findings)
    assert all(finding.mend for finding in found if finding.verdict != "ok")
    return [(str(finding.verdict), finding.sentence) for finding in found]


def the_one(findings: Any, verdict: str, part: str) -> None:
    """There is one finding of that verdict, and it says that."""
    found = [sentence for kind, sentence in told(findings) if kind == verdict]
    assert len(found) == 1, told(findings)
    assert part in found[0], found


def test_of_a_healthy_cluster_everything_is_ok() -> None:
    assert {verdict for verdict, _ in told(examine(HEALTHY))} == {"ok"}


def test_an_api_server_without_selectable_fields_is_too_old() -> None:
    the_one(check_kubernetes(replace(HEALTHY, kubernetes=(1, 30))), "problem", "1.31 is the oldest")


@pytest.mark.parametrize(
    ("definition", "part"),
    [
        (None, "is missing"),
        (Definition(("v1alpha1",), False, "", frozenset()), "it is not established"),
        (Definition(("v2",), True, "", frozenset()), "serves v2, not v1alpha1"),
        (
            Definition(("v1alpha1",), True, "", WRITTEN_FIELDS["rendezvousmembers"] - {"holdsPlace"}),
            "older than this command: it does not know holdsPlace",
        ),
    ],
)
def test_definitions_that_cannot_be_used_are_problems(definition: Definition | None, part: str) -> None:
    seen = {**(HEALTHY.definitions or {}), "rendezvousmembers.rendezvous.dev": definition}
    the_one(check_definitions(replace(HEALTHY, definitions=seen)), "problem", part)


def test_a_group_that_is_not_served_is_the_only_thing_to_say_of_definitions() -> None:
    the_one(check_definitions(replace(HEALTHY, served=(), definitions=None)), "problem", "does not serve")


def test_definitions_that_no_longer_serve_the_first_version_are_as_good() -> None:
    definitions = {
        name: definition and replace(definition, versions=("v1beta1",))
        for name, definition in (HEALTHY.definitions or {}).items()
    }
    the_one(check_definitions(replace(HEALTHY, served=("v1beta1",), definitions=definitions)), "ok", "v1beta1")


def test_every_field_that_the_doctor_asks_for_is_in_our_definitions() -> None:
    for name in NAMES:
        plural = name.partition(".")[0]
        obj = next(
            o for o in map(yaml.safe_load, map(Path.read_text, CRDS.glob("*.yaml"))) if o["metadata"]["name"] == name
        )
        definition = read_definition(obj, "v1alpha1")
        assert WRITTEN_FIELDS[plural] <= definition.fields
        if plural != RENDEZVOUS_PLURAL:  # of which people write the most
            assert WRITTEN_FIELDS[plural] == definition.fields, "all of it is written by clients and operator"
        assert "v1alpha1" in definition.versions


@pytest.mark.parametrize(
    ("change", "verdict", "part"),
    [
        ({"deployments": ()}, "problem", "No operator is installed"),
        ({"deployments": None}, "unknown", "We may not read Deployments"),
        ({"deployments": (replace(DEPLOYMENT, serves=("other",)),)}, "problem", "serves other only, not ml"),
        ({"deployments": (replace(DEPLOYMENT, wanted=0, ready=0),)}, "problem", "scaled to no replicas"),
        ({"deployments": (replace(DEPLOYMENT, ready=1),)}, "warning", "1 of 2 replicas"),
        ({"lease": None}, "problem", "nobody holds"),
        ({"lease": SeenLease("", None, 15.0)}, "problem", "nobody holds"),
        ({"lease": SeenLease("a", NOW - timedelta(60), 15.0, alive=False)}, "problem", "Nobody leads: a renewed"),
        ({"lease": None, "lease_readable": False}, "unknown", "We may not read the lease"),
        ({"answer": Answer(None, 15.0)}, "problem", "within 15s"),
        ({"answer": Answer(None, 15.0, "quota")}, "problem", "No Rendezvous can be made in ml: quota"),
    ],
)
def test_an_operator_that_is_not_well(change: dict[str, Any], verdict: str, part: str) -> None:
    the_one(check_operator(replace(HEALTHY, **change)), verdict, part)


def test_a_lease_that_clocks_call_old_but_is_renewed_is_alive() -> None:
    seen = replace(HEALTHY, lease=SeenLease("a", NOW - timedelta(60), 15.0, alive=True))
    assert {verdict for verdict, _ in told(check_operator(seen))} == {"ok"}


def test_an_operator_outside_of_the_cluster_is_known_by_its_answers() -> None:
    assert {verdict for verdict, _ in told(check_operator(replace(HEALTHY, deployments=(), observed=(1, 2))))} == {"ok"}


@pytest.mark.parametrize(
    ("guard", "verdict", "part"),
    [
        (Guard((), (), (), ""), "warning", "There is no admission policy"),
        (Guard(("members",), (), (), ""), "warning", "No binding puts members in force"),
        (Guard(None, (), (), ""), "warning", "is taken (tried with a dry run)"),
        (Guard(None, (), (), None), "unknown", "We may neither read"),
        (Guard(("members",), ("members",), (), ""), "unknown", "you are exempt"),
        (Guard(("members",), ("members",), ("spec: undeclared",), "no"), "warning", "complains of the policy"),
    ],
)
def test_a_guard_that_is_not_in_force(guard: Guard, verdict: str, part: str) -> None:
    the_one(check_guard(replace(HEALTHY, guard=guard)), verdict, part)


@pytest.mark.parametrize(
    ("clocks", "part"),
    [
        (Clocks(30.0, 0.5), "this machine (30s ahead)"),
        (Clocks(-30.0, 0.5), "this machine (30s behind)"),
        (Clocks(0.0, 0.5, members={"a-x": 60.0}), "member a-x (1m ahead)"),
        (Clocks(0.0, 0.5, nodes={"n1": 9.0}), "node n1 (9s ahead)"),
    ],
)
def test_clocks_that_differ_are_named(clocks: Clocks, part: str) -> None:
    the_one(check_clocks(replace(HEALTHY, clocks=clocks)), "warning", part)


def test_a_clock_within_what_can_be_known_is_right() -> None:
    the_one(check_clocks(replace(HEALTHY, clocks=Clocks(4.0, 1.5))), "ok", "agree")


@pytest.mark.parametrize(
    ("change", "verdict", "part"),
    [
        ({"python": "3.9.1"}, "problem", "3.11 is the oldest"),
        ({"kubeRendezvous": ""}, "problem", "kube-rendezvous is not in it"),
        ({"entryPointProblem": "ImportError('x')"}, "problem", "cannot be loaded: ImportError"),
        ({"torch": ""}, "warning", "no torch in it"),
        ({"torch": "2.5.1"}, "problem", "2.6 is the oldest"),
    ],
)
def test_an_image_that_lacks_something(change: dict[str, str], verdict: str, part: str) -> None:
    pod = ProbedPod("a", {**REPORT, **change}, "n1")
    the_one(check_image(replace(HEALTHY, pods=(pod, pod))), verdict, part)


def test_a_port_that_is_not_reached_is_a_problem_although_its_listener_reports_nothing() -> None:
    listener, caller = ProbedPod("a", {}, "n1", "running"), ProbedPod("b", {**REPORT, "error": "timed out"}, "n2")
    seen = replace(HEALTHY, pods=(listener, caller))
    the_one(check_network(seen), "problem", "from node n2 to node n1: timed out")
    the_one(check_image(seen), "ok", "torch 2.15.0")


@pytest.mark.parametrize(
    ("report", "verdict", "part"),
    [
        ({"apiServerProblem": "timed out"}, "problem", "10.0.0.1 port 443, where every member writes: timed out"),
        ({"nameProblem": "kubernetes.default.svc: unknown"}, "warning", "Names are not resolved in a pod"),
    ],
)
def test_what_a_pod_does_not_reach_of_the_cluster_is_told(report: dict[str, str], verdict: str, part: str) -> None:
    pod = ProbedPod("a", {**REPORT, "apiServer": "10.0.0.1 port 443", **report}, "n1")
    the_one(check_cluster_from_pods(replace(HEALTHY, pods=(pod, pod))), verdict, part)


def test_a_pod_that_reaches_all_of_the_cluster_says_so_and_one_that_was_told_of_none_says_nothing() -> None:
    pod = ProbedPod("a", {**REPORT, "apiServer": "10.0.0.1 port 443"}, "n1")
    findings = check_cluster_from_pods(replace(HEALTHY, pods=(pod, pod)))
    assert [verdict for verdict, _ in told(findings)] == ["ok", "ok"]
    silent = ProbedPod("a", dict(REPORT), "n1")
    assert told(check_cluster_from_pods(replace(HEALTHY, pods=(silent, silent)))) == []


def test_a_pod_that_never_came_is_told_with_what_holds_it() -> None:
    pod = ProbedPod("a", {}, "", "ErrImagePull: no such image")
    the_one(check_image(replace(HEALTHY, pods=(pod, pod))), "problem", "ErrImagePull: no such image")
    assert told(check_network(replace(HEALTHY, pods=(pod, pod)))) == []


def test_the_clock_of_a_pod_is_wrong_when_it_ran_before_it_was_made_or_after_it_was_seen() -> None:
    def ahead(seconds: float) -> float | None:
        message = json.dumps({**REPORT, "time": NOW.timestamp() + seconds})
        obj = {
            "metadata": {"name": "a", "uid": "u", "creationTimestamp": "2026-03-01T11:59:50Z"},
            "status": {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"message": message}}}]},
        }
        return read_probe("a", obj, NOW.timestamp()).ahead

    assert [ahead(seconds) for seconds in (0.0, -5.0, 20.0, -30.0)] == [0.0, 0.0, 20.0, -20.0]


def test_where_the_cluster_picks_users_the_probe_names_none() -> None:
    assert picks_users({"metadata": {"annotations": {"openshift.io/sa.scc.uid-range": "1000660000/10000"}}})
    assert not picks_users({"metadata": {}})
    context = [
        pod_manifest("a", "r", "i", "trainer", (), (), numbered=numbered)["spec"]["securityContext"]
        for numbered in (True, False)
    ]
    assert [one.get("runAsUser") for one in context] == [65532, None]
    assert all(one["runAsNonRoot"] for one in context)


def test_the_operators_deployment_is_known_by_its_arguments() -> None:
    def deployment(*arguments: str) -> dict[str, Any]:
        pod = {"serviceAccountName": "sa", "containers": [{"args": list(arguments)}]}
        return {"metadata": {"name": "d", "namespace": "sys"}, "spec": {"template": {"spec": pod}}}

    found = read_deployment(deployment("--leader-elect", "--lease-name=op", "--namespace=a", "--namespace=b"))
    assert found is not None
    assert (found.lease, found.serves, found.account, found.wanted) == ("op", ("a", "b"), "sa", 1)
    assert read_deployment(deployment("--port=80")) is None


def test_what_runs_in_the_pod_needs_nothing_but_python(tmp_path: Path) -> None:
    script = Path(in_the_pod.__file__).read_text().replace("/dev/termination-log", str(tmp_path / "message"))
    argv = [sys.executable, "-I", "-S", "-c", script, "call", "127.0.0.1", "9", "0"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    report = json.loads((tmp_path / "message").read_text())
    assert report == json.loads(done.stdout)
    assert report["error"].startswith("call 127.0.0.1 9: ")
    assert report["torch"] == ""
    assert "apiServer" not in report, "this machine is no pod"


def test_what_runs_in_the_pod_tries_the_api_server_and_a_name(tmp_path: Path) -> None:
    script = Path(in_the_pod.__file__).read_text().replace("/dev/termination-log", str(tmp_path / "message"))
    script = script.replace('NAME = "kubernetes.default.svc"', 'NAME = "no.such.name.invalid"')
    argv = [sys.executable, "-I", "-S", "-c", script, "call", "127.0.0.1", "9", "0"]
    cluster = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "9"}
    subprocess.run(argv, env=cluster, capture_output=True, timeout=60, check=True)
    report = json.loads((tmp_path / "message").read_text())
    assert report["apiServer"] == "127.0.0.1 port 9"
    assert "refused" in report["apiServerProblem"].lower()
    assert report["nameProblem"].startswith("no.such.name.invalid: ")
