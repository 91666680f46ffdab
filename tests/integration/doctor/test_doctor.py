"""What the doctor finds on a real API server, and that the commands that it names mend it."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from integration.doctor.conftest import SYSTEM, Doctor, Installation
from integration.doctor.process_kubelet import ProcessKubelet
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources.timestamps import format_time
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

LEADING = (
    "--leader-elect",
    "--lease-name=kube-rendezvous-operator",
    f"--lease-namespace={SYSTEM}",
    "--lease-seconds=5",
)


def test_an_empty_cluster_lacks_operator_account_rights_and_guard(doctor: Doctor, namespace: str) -> None:
    found = doctor()
    assert found.status == 1
    assert found.one("Kubernetes", "ok")
    assert "with all fields" in found.one("definitions", "ok")["sentence"]
    operator = found.one("operator", "problem")
    assert "No operator is installed" in operator["sentence"]
    assert operator["mend"].startswith("`helm upgrade --install kube-rendezvous")
    account, rights = found.of("trainer")
    assert account["sentence"] == f"There is no service account {namespace}/trainer."
    assert "may not create rendezvousmembers, get rendezvousmembers," in rights["sentence"]
    assert "There is no admission policy" in found.one("guard", "warning")["sentence"]
    assert found.one("clock", "ok")
    assert found.said == f"error: 3 problems: a job would not run as it should in {namespace}\n"


def test_the_commands_that_it_names_give_the_trainer_its_rights(
    doctor: Doctor, follow: Callable[[str], None], namespace: str
) -> None:
    for finding in doctor().of("trainer"):
        follow(finding["mend"])
    assert doctor().one("trainer", "ok")["sentence"] == (
        f"The service account {namespace}/trainer may do what a trainer does."
    )


def test_an_account_that_may_forge_rounds_is_told(doctor: Doctor, kubectl: Any, namespace: str) -> None:
    place = ("-n", namespace)
    kubectl("create", "serviceaccount", "trainer", *place)
    kubectl("create", "role", "all", "--verb=*", "--resource=*.rendezvous.dev", *place)
    kubectl("create", "rolebinding", "all", "--role=all", f"--serviceaccount={namespace}:trainer", *place)
    warning = doctor().one("trainer", "warning")
    assert "may update rendezvous/status, patch rendezvous/status" in warning["sentence"]


def test_an_operator_that_is_installed_leads_and_answers_is_found_well(
    doctor: Doctor, installation: Installation, cluster: Cluster, follow: Callable[[str], None], kubectl: Any
) -> None:
    for finding in doctor().of("trainer"):
        follow(finding["mend"])
    with OperatorProcess(cluster.kubeconfig, arguments=LEADING, environment={"POD_NAME": "kube-rendezvous-7d-x"}):
        found = doctor("--try")
    assert found.status == 0, found.findings
    assert {finding["verdict"] for finding in found.findings} == {"ok"}
    tried, installed = found.of("operator")
    assert "answered a Rendezvous that was made to try it" in tried["sentence"]
    assert installed["sentence"].startswith(f"2 replicas of {SYSTEM}/kube-rendezvous (")
    assert found.one("leader", "ok")["sentence"].endswith(" leads.")
    assert found.one("rights", "ok")
    assert "is refused (tried with a dry run)" in found.one("guard", "ok")["sentence"]
    left = kubectl("get", "rdzv,rdzvm", "-A", "-o", "name").stdout
    assert "doctor-" not in left


def test_replicas_that_are_not_ready_are_told_with_what_the_deployment_says(
    doctor: Doctor, installation: Installation
) -> None:
    installation.ready(0, "Deployment does not have minimum availability.")
    problem = doctor().one("operator", "problem")
    assert "None of 2 replicas" in problem["sentence"]
    assert "Deployment does not have minimum availability." in problem["sentence"]
    installation.ready(1)
    assert "1 of 2 replicas" in doctor().one("operator", "warning")["sentence"]


def test_nobody_leads_without_a_lease_or_with_one_that_has_run_out(doctor: Doctor, installation: Installation) -> None:
    assert "nobody holds the lease" in doctor().one("leader", "problem")["sentence"]
    installation.lease("kube-rendezvous-0", "2026-01-01T00:00:00.000000Z", 5)
    ran_out = doctor().one("leader", "problem")
    assert "Nobody leads: kube-rendezvous-0 renewed the lease" in ran_out["sentence"]
    assert "rollout restart deployment kube-rendezvous" in ran_out["mend"]
    installation.lease("kube-rendezvous-0", format_time(datetime.now(UTC)), 600)
    assert doctor().one("leader", "ok")


def test_a_policy_without_a_binding_is_not_in_force(doctor: Doctor, installation: Installation, kubectl: Any) -> None:
    kubectl("delete", "validatingadmissionpolicybinding", "--all")
    assert "No binding puts kube-rendezvous-members in force" in doctor().one("guard", "warning")["sentence"]


def test_nobody_answers_a_rendezvous_that_was_made_to_try_it(doctor: Doctor, kubectl: Any, namespace: str) -> None:
    tried, _ = [*doctor("--try").of("operator"), None][:2]
    assert tried is not None
    assert tried["verdict"] == "problem"
    assert "No operator has answered a Rendezvous that was made in" in tried["sentence"]
    assert kubectl("get", "rdzv", "-n", namespace, "-o", "name").stdout == ""


def test_whoever_may_read_nothing_is_told_what_is_unknown(doctor: Doctor, guest: Path) -> None:
    found = doctor("--kubeconfig", str(guest))
    assert found.status == 0
    verdicts = {finding["check"]: finding["verdict"] for finding in found.findings}
    assert verdicts == {
        "Kubernetes": "ok",
        "clock": "ok",
        **dict.fromkeys(["definitions", "operator", "trainer", "guard"], "unknown"),
    }
    assert all(finding["mend"] for finding in found.findings if finding["verdict"] == "unknown")


def test_pods_of_the_image_tell_what_it_holds_and_call_each_other(
    doctor: Doctor, anybody: Connection, namespace: str, kubectl: Any
) -> None:
    kubectl("create", "serviceaccount", "trainer", "-n", namespace)
    with ProcessKubelet(anybody, namespace) as kubelet:
        found = doctor("--image", "registry.example/trainer:1", "--image-pull-secret", "key")
    assert found.one("image", "ok")["sentence"].endswith("with torchrun's entry point.")
    network = found.one("network", "ok")
    assert network["sentence"] == "A pod reached a port of another one, from node gpu-1 to node gpu-0."
    assert found.one("clock", "ok")
    listener = kubelet.pods[0]["spec"]
    assert listener["containers"][0]["image"] == "registry.example/trainer:1"
    assert listener["imagePullSecrets"] == [{"name": "key"}]
    assert listener["securityContext"]["runAsNonRoot"]
    assert kubectl("get", "pods", "-n", namespace, "-o", "name").stdout == ""


def test_pods_that_do_not_reach_each_other_are_a_problem(
    doctor: Doctor, anybody: Connection, namespace: str, kubectl: Any
) -> None:
    kubectl("create", "serviceaccount", "trainer", "-n", namespace)
    with ProcessKubelet(anybody, namespace, address="192.0.2.1", nodes=["one"]):  # an address that nobody has
        found = doctor("--image", "trainer", "--timeout", "60")
    assert found.one("image", "ok")
    problem = found.one("network", "problem")
    assert "A pod did not reach a port of another one, from node one to node one: call 192.0.2.1" in problem["sentence"]
    assert "get networkpolicies" in problem["mend"]


def test_an_image_without_torch_and_without_us_is_told(
    doctor: Doctor, anybody: Connection, namespace: str, kubectl: Any
) -> None:
    kubectl("create", "serviceaccount", "trainer", "-n", namespace)
    bare = (sys.executable, "-I", "-S")  # sees no installed package
    with ProcessKubelet(anybody, namespace, python=bare, nodes=["one"]):
        found = doctor("--image", "trainer", "--timeout", "60")
    assert found.one("image", "problem")["sentence"] == "kube-rendezvous is not in it."
    assert found.one("image", "warning")["sentence"] == "There is no torch in it: torchrun cannot run."
    assert "Both ran on one node" in found.one("network", "ok")["sentence"]


def test_an_image_that_does_not_start_is_told_with_the_kubelets_words(
    doctor: Doctor, namespace: str, kubectl: Any
) -> None:
    found = doctor(
        "--image", "trainer", "--timeout", "3"
    )  # no service account: the API server refuses, or nobody runs it
    problem = found.one("image", "problem")
    assert problem["sentence"].startswith("No pod of the image came up")
    assert kubectl("get", "pods", "-n", namespace, "-o", "name").stdout == ""


def test_people_get_a_line_a_finding_and_the_mend_below_it(environment: Mapping[str, str], namespace: str) -> None:
    argv = [sys.executable, "-m", "kubectl_rendezvous", "doctor", "-n", namespace]
    answer = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=100, check=False)
    lines = answer.stdout.splitlines()
    assert lines[0].split()[:2] == ["ok", "Kubernetes"]
    [at] = [number for number, line in enumerate(lines) if "PROBLEM  operator" in line]
    assert lines[at + 1].strip().startswith("→ `helm upgrade --install")
    assert lines[-2].startswith("CHART: deploy/helm/kube-rendezvous in a checkout; of a release")
    assert lines[-1].startswith("Not tried: the training image")
