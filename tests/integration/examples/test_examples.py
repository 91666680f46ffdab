"""Every example is what the API server takes, names one rendezvous only, and runs under Pod Security `restricted`.

Nothing runs here: the objects are checked by the API server and not stored.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.conftest import Kubectl
from integration.examples.foreign_apis import (
    JOBSET,
    KUEUE,
    LEADER_WORKER_SET,
    TRAINER,
    TRAINING_OPERATOR,
    DownloadError,
    definitions,
)
from integration.openshift import become_openshift, try_pod
from rendezvous_local.binaries import find_go
from rendezvous_local.cluster import Cluster
from rendezvous_local.crds import apply_crds

EXAMPLES = Path(__file__).parents[3] / "deploy" / "examples"
SHARED = ("trainer", "openshift")
NAMES = sorted(file.parent.name for file in EXAMPLES.glob("*/kustomization.yaml") if file.parent.name not in SHARED)
FOREIGN = {
    "jobset": (JOBSET,),
    "jobset-in-place": (JOBSET,),
    "kubeflow-pytorchjob": (TRAINING_OPERATOR,),
    "kubeflow-trainjob": (TRAINER,),
    "kueue": (KUEUE,),
    "leaderworkerset": (LEADER_WORKER_SET,),
}
LABEL = "rendezvous.dev/name"


@pytest.fixture
def restricted(kubectl: Kubectl, namespace: str) -> str:
    """A namespace that takes only pods that Pod Security calls restricted."""
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
    labelled = kubectl("label", "namespace", namespace, *levels)
    assert labelled.returncode == 0, labelled.stderr
    return namespace


@pytest.fixture
def openshift(cluster: Cluster, kubectl: Kubectl, namespace: str) -> str:
    """A namespace that takes only pods that OpenShift's restricted-v2 takes."""
    if cluster.control_plane is None:
        pytest.skip("installs an admission policy: unset KUBECONFIG")
    become_openshift(kubectl, namespace)
    return namespace


@pytest.fixture(params=NAMES)
def example(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> str:
    """The folder of an example whose kinds the API server knows."""
    for api in FOREIGN.get(request.param, ()):
        go = find_go()
        if go is None:
            pytest.skip(f"the definitions of {api.module} come by Go, which is not here")
        try:
            files = definitions(api, go, tmp_path)
        except DownloadError as error:
            pytest.skip(f"no definitions: {error}")
        for file in files:
            shutil.copy(file, tmp_path)
        apply_crds(cluster.kubeconfig, tmp_path)
    return str(EXAMPLES / request.param)


def test_the_api_server_takes_an_example_without_a_warning(kubectl: Kubectl, restricted: str, example: str) -> None:
    answer = kubectl("-n", restricted, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", example)
    assert (answer.stderr, answer.returncode) == ("", 0)


def test_the_pods_of_an_example_are_restricted_and_name_its_rendezvous(
    kubectl: Kubectl, restricted: str, example: str
) -> None:
    objects = [one for one in yaml.safe_load_all(kubectl("kustomize", example).stdout) if one]
    (run,) = [one["metadata"]["name"] for one in objects if one["kind"] == "Rendezvous"]
    templates = [template for one in objects for template in _pod_templates(one)]
    assert templates
    for template in templates:
        assert template["metadata"]["labels"][LABEL] == run
        containers = [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]
        words = [word for one in containers for word in (*one.get("command", ()), *one.get("args", ()))]
        assert {f"--rdzv-id={run}", f"--name={run}"} & set(words), "its command names another rendezvous"
        pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "pod", **template["metadata"]}}
        created = kubectl(
            "-n", restricted, "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(pod)
        )
        assert (created.stderr, created.returncode) == ("", 0)


@pytest.mark.parametrize("name", NAMES)
def test_openshift_takes_the_pods_of_an_example_with_its_component(
    kubectl: Kubectl, openshift: str, tmp_path: Path, name: str
) -> None:
    resources, components = (os.path.relpath(EXAMPLES / part, tmp_path) for part in (name, "openshift"))
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": [resources],
                "components": [components],
            }
        )
    )
    built = kubectl("kustomize", str(tmp_path))
    assert built.returncode == 0, built.stderr
    templates = [template for one in yaml.safe_load_all(built.stdout) for template in _pod_templates(one)]
    assert templates
    for template in templates:
        assert try_pod(kubectl, openshift, template["spec"], template["metadata"]) == ""


def test_the_runtime_of_a_train_job_is_sent_before_it(kubectl: Kubectl) -> None:
    """Trainer's webhook refuses a TrainJob whose runtime is not there."""
    rendered = kubectl("kustomize", str(EXAMPLES / "kubeflow-trainjob")).stdout
    kinds = [one["kind"] for one in yaml.safe_load_all(rendered) if one]
    assert kinds.index("ClusterTrainingRuntime") < kinds.index("TrainJob")


def _pod_templates(part: Any) -> Iterator[dict[str, Any]]:
    """Every pod template in an object, however deep."""
    if isinstance(part, dict):
        spec = part.get("spec")
        if isinstance(spec, dict) and "containers" in spec:
            yield part
        for value in part.values():
            yield from _pod_templates(value)
    elif isinstance(part, list):
        for value in part:
            yield from _pod_templates(value)
