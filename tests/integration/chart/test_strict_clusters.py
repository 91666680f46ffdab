"""Clusters with policies of their own take the chart's pods: OpenShift's constraints, a quota of requests and limits, a
registry with a password or by digest, a way out by proxy only.

Nothing runs here: the API server judges each pod that a controller or helm would make.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.conftest import Kubectl
from integration.openshift import become_openshift, give_compute_quota, try_pod
from rendezvous_chart.crd_templates import CHART

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
PODS = ("operator", "test")
IN_QUOTA = "operator.resources.limits.cpu=1"

Objects = list[dict[str, Any]]


def rendered(helm: Path, values: dict[str, Any] | None = None, *options: str) -> Objects:
    """What the chart renders, its tests included."""
    command = [helm, "template", "kube-rendezvous", CHART, "--namespace=somewhere", "--values=-", *options]
    done = subprocess.run(
        command, input=json.dumps(values or {}), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def pods_of(objects: Objects) -> dict[str, dict[str, Any]]:
    """Metadata and spec of the operator's pods and of the one of `helm test`."""
    (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
    (test,) = [one for one in objects if one["kind"] == "Pod"]
    return {"operator": deployment["spec"]["template"], "test": test}


def one_of(objects: Objects, kind: str, name: str = "kube-rendezvous") -> dict[str, Any]:
    """The object of this kind and name."""
    (found,) = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


@pytest.fixture
def strict(local_only: None, kubectl: Kubectl, namespace: str) -> str:
    """A namespace of OpenShift with a quota."""
    become_openshift(kubectl, namespace)
    give_compute_quota(kubectl, namespace)
    return namespace


def judged(kubectl: Kubectl, namespace: str, objects: Objects) -> dict[str, str]:
    """What the API server has against each pod."""
    return {which: try_pod(kubectl, namespace, pod["spec"], pod["metadata"]) for which, pod in pods_of(objects).items()}


EVERYTHING: dict[str, Any] = {
    "image": {"registry": "registry.example.com", "digest": DIGEST, "pullSecrets": ["one", {"name": "two"}]},
    "operator": {
        "resources": {"limits": {"cpu": "1"}},
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
            {"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"},
        ],
        "envFrom": [{"secretRef": {"name": "proxy-password"}}],
        "volumes": [{"name": "ca", "configMap": {"name": "company-ca"}}],
        "volumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
        "podSpec": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["proxy"]}], "dnsPolicy": "ClusterFirst"},
        "containerSpec": {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}},
        "deploymentSpec": {"minReadySeconds": 2},
        "tolerations": [{"key": "infra", "operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "extraArgs": ["--log-level=debug"],
        "podLabels": {"sidecar.istio.io/inject": "false"},
    },
    "networkPolicy": {"egress": [{"ports": [{"port": 3128, "protocol": "TCP"}]}]},
    "test": {"podAnnotations": {"example.com/note": "a test"}},
}


def test_by_default_openshift_takes_every_pod_once_the_quota_has_its_limit(
    helm: Path, kubectl: Kubectl, strict: str
) -> None:
    assert judged(kubectl, strict, rendered(helm, None, "--set", IN_QUOTA)) == {"operator": "", "test": ""}


def test_with_every_value_of_a_company_openshift_takes_every_pod(helm: Path, kubectl: Kubectl, strict: str) -> None:
    assert judged(kubectl, strict, rendered(helm, EVERYTHING)) == {"operator": "", "test": ""}


def test_the_api_server_takes_all_objects_with_every_value_of_a_company(helm: Path, kubectl: Kubectl) -> None:
    values = {**EVERYTHING, "commonLabels": {"team": "ml"}, "commonAnnotations": {"example.com/owner": "ml"}}
    objects = rendered(helm, values, "--namespace=default")
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    answer = kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=manifests)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("which", PODS)
def test_the_values_reach_both_pods(helm: Path, which: str) -> None:
    pod = pods_of(rendered(helm, EVERYTHING))[which]
    container = pod["spec"]["containers"][0]
    assert container["image"] == f"registry.example.com/kube-rendezvous/operator@{DIGEST}"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert EVERYTHING["operator"]["env"] == container["env"][-2:]
    assert container["envFrom"] == EVERYTHING["operator"]["envFrom"]
    assert container["volumeMounts"] == EVERYTHING["operator"]["volumeMounts"]
    assert pod["spec"]["volumes"] == EVERYTHING["operator"]["volumes"]
    assert pod["spec"]["hostAliases"] == EVERYTHING["operator"]["podSpec"]["hostAliases"]
    assert pod["spec"]["tolerations"] == EVERYTHING["operator"]["tolerations"]
    assert pod["spec"]["nodeSelector"] == EVERYTHING["operator"]["nodeSelector"]


def test_the_network_policy_lets_the_operator_reach_the_proxy(helm: Path) -> None:
    policy = one_of(rendered(helm, EVERYTHING), "NetworkPolicy")
    assert EVERYTHING["networkPolicy"]["egress"][0] in policy["spec"]["egress"]


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "kube-rendezvous/operator:0.1.0"),
        ({"tag": "1.2"}, "kube-rendezvous/operator:1.2"),
        ({"digest": DIGEST}, f"kube-rendezvous/operator@{DIGEST}"),
        ({"tag": "1.2", "digest": DIGEST}, f"kube-rendezvous/operator:1.2@{DIGEST}"),
        ({"tag": DIGEST}, f"kube-rendezvous/operator@{DIGEST}"),
        ({"tag": f"1.2@{DIGEST}"}, f"kube-rendezvous/operator:1.2@{DIGEST}"),
        ({"registry": "host:5000", "tag": "1"}, "host:5000/kube-rendezvous/operator:1"),
        ({"repository": "host:5000/operator"}, "host:5000/operator:0.1.0"),
    ],
)
def test_tag_and_digest_make_a_reference_that_can_be_pulled(helm: Path, image: dict[str, str], reference: str) -> None:
    pods = pods_of(rendered(helm, {"image": image}))
    assert {pod["spec"]["containers"][0]["image"] for pod in pods.values()} == {reference}


def test_a_chart_around_this_one_gives_registry_and_secrets_to_all(helm: Path) -> None:
    values = {"global": {"imageRegistry": "mirror", "imagePullSecrets": [{"name": "mirror"}]}}
    for pod in pods_of(rendered(helm, values)).values():
        assert pod["spec"]["containers"][0]["image"] == "mirror/kube-rendezvous/operator:0.1.0"
        assert pod["spec"]["imagePullSecrets"] == [{"name": "mirror"}]


def test_every_line_of_the_security_contexts_can_be_changed_or_taken_away(helm: Path) -> None:
    contexts = {
        "podSecurityContext": {"runAsUser": 1000680000, "runAsNonRoot": None},
        "securityContext": {"readOnlyRootFilesystem": False},
    }
    for pod in pods_of(rendered(helm, {"operator": contexts})).values():
        assert pod["spec"]["securityContext"] == {"runAsUser": 1000680000, "seccompProfile": {"type": "RuntimeDefault"}}
        assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is False


def test_what_the_chart_renders_can_be_overruled_where_no_value_has_its_name(helm: Path) -> None:
    overruling = {
        "podSpec": {"schedulerName": "other", "automountServiceAccountToken": False},
        "containerSpec": {"stdin": True},
        "deploymentSpec": {"progressDeadlineSeconds": 7},
    }
    values = {
        "operator": overruling,
        "service": {"spec": {"ipFamilyPolicy": "PreferDualStack"}, "annotations": {"a": "b"}},
        "podDisruptionBudget": {"minAvailable": "50%"},
        "namespaceOverride": "elsewhere",
    }
    objects = rendered(helm, values)
    spec = pods_of(objects)["operator"]["spec"]
    assert (spec["schedulerName"], spec["automountServiceAccountToken"]) == ("other", False)
    assert spec["containers"][0]["stdin"] is True
    assert spec["containers"][0]["name"] == "operator", "what is not overruled stays"
    assert one_of(objects, "Deployment")["spec"]["progressDeadlineSeconds"] == 7
    service = one_of(objects, "Service")
    assert (service["spec"]["ipFamilyPolicy"], service["metadata"]["annotations"]) == ("PreferDualStack", {"a": "b"})
    budget = one_of(objects, "PodDisruptionBudget")["spec"]
    assert (budget["minAvailable"], "maxUnavailable" in budget) == ("50%", False)
    assert {one["metadata"].get("namespace", "elsewhere") for one in objects} == {"elsewhere"}


def test_common_labels_and_annotations_are_on_every_object_and_change_no_selector(helm: Path) -> None:
    values = {"commonLabels": {"team": "ml", "app.kubernetes.io/name": "mine"}, "commonAnnotations": {"owner": "ml"}}
    plain, marked = rendered(helm), rendered(helm, values)
    for one in [*marked, pods_of(marked)["operator"]]:
        assert one["metadata"]["labels"]["team"] == "ml", one["metadata"]
        assert one["metadata"]["annotations"]["owner"] == "ml", one["metadata"]
    for kind, path in (("Deployment", "selector"), ("Service", "selector")):
        assert one_of(marked, kind)["spec"][path] == one_of(plain, kind)["spec"][path]
    assert pods_of(marked)["operator"]["metadata"]["labels"]["app.kubernetes.io/name"] == "kube-rendezvous"


def test_trainers_accounts_open_the_registry_and_have_the_clouds_role(helm: Path) -> None:
    trainers = {
        "namespaces": ["team-a"],
        "imagePullSecrets": ["registry"],
        "serviceAccountAnnotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/data"},
    }
    account = one_of(rendered(helm, {"trainers": trainers}), "ServiceAccount", "trainer")
    assert account["imagePullSecrets"] == [{"name": "registry"}]
    assert account["metadata"]["annotations"] == trainers["serviceAccountAnnotations"]


def test_somebody_elses_rights_and_objects(helm: Path) -> None:
    extra = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-registry"}}
    objects = rendered(helm, {"rbac": {"create": False, "aggregate": False}, "extraObjects": [extra]})
    tests = [one for one in objects if one["metadata"]["name"].endswith("-test")]
    assert not [one for one in objects if one["kind"].startswith(("Role", "ClusterRole")) and one not in tests]
    assert one_of(objects, "Secret", "kube-rendezvous-registry")


def test_the_definitions_are_kept_unless_it_is_said_otherwise(helm: Path) -> None:
    keep = "helm.sh/resource-policy"
    kept, left = rendered(helm), rendered(helm, {"crds": {"keep": False, "annotations": {"a": "b"}}})
    definitions = [
        [one["metadata"].get("annotations") for one in objects if one["kind"] == "CustomResourceDefinition"]
        for objects in (kept, left)
    ]
    assert definitions == [[{keep: "keep"}] * 3, [{"a": "b"}] * 3]
