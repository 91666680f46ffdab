"""The examples as a user applies them: by a kustomization that names the images, and nothing else.

Where the trainer's image holds no torch, because that is 5 GB, the kustomization mounts it from a volume.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.kubectl import Kubectl

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
TORCH_CLAIM = "torch"
TORCH_FOLDER = "/opt/torch"
_OF_A_JOBSET = "/spec/replicatedJobs/{}/template/spec/template/spec"
# Where each kind keeps its pod templates; where they differ, by the name of the object.
WORKLOADS = (
    ("Job", None, "/spec/template/spec"),
    ("StatefulSet", None, "/spec/template/spec"),
    ("Deployment", None, "/spec/template/spec"),
    ("JobSet", "jobset", _OF_A_JOBSET.format(0)),
    ("JobSet", "jobset", _OF_A_JOBSET.format(1)),
    ("JobSet", "jobset-in-place", _OF_A_JOBSET.format(0)),
    ("ClusterTrainingRuntime", None, f"/spec/template{_OF_A_JOBSET.format(0)}"),
    ("PyTorchJob", None, "/spec/pytorchReplicaSpecs/Worker/template/spec"),
    ("LeaderWorkerSet", None, "/spec/leaderWorkerTemplate/workerTemplate/spec"),
)


@dataclass(frozen=True)
class Patch:
    """A JSON patch for every object of a kind, or for the one with the name."""

    kind: str
    operations: tuple[Mapping[str, Any], ...]
    name: str | None = None


def replace(path: str, value: Any) -> Mapping[str, Any]:
    """An operation of a JSON patch."""
    return {"op": "replace", "path": path, "value": value}


def add(path: str, value: Any) -> Mapping[str, Any]:
    """An operation of a JSON patch."""
    return {"op": "add", "path": path, "value": value}


def torch_from_a_volume() -> list[Patch]:
    """Mounts the claim `torch` into the first container of every pod."""
    volume = {"name": "torch", "persistentVolumeClaim": {"claimName": TORCH_CLAIM, "readOnly": True}}
    mount = {"name": "torch", "mountPath": TORCH_FOLDER, "readOnly": True}
    return [
        Patch(kind, (add(f"{pod}/volumes/-", volume), add(f"{pod}/containers/0/volumeMounts/-", mount)), name)
        for kind, name, pod in WORKLOADS
    ]


def renamed(example: str, name: str) -> list[Patch]:
    """Another name for the Job and the Rendezvous of an example with a sidecar."""
    pod = "/spec/template"
    operations = (
        replace("/metadata/name", name),
        replace(f"{pod}/metadata/labels/rendezvous.dev~1name", name),
        replace(f"{pod}/spec/initContainers/0/args/1", f"--name={name}"),
    )
    return [Patch("Job", operations, example), Patch("Rendezvous", operations[:1], example)]


def write_overlay(folder: Path, example: str, images: Mapping[str, str], patches: Iterable[Patch] = ()) -> Path:
    """Write the kustomization.

    Args:
        folder: an empty one.
        example: name of the folder in `deploy/examples`.
        images: the image to use for each that the example names.
        patches: changes to the example.

    Returns:
        The folder.
    """
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(EXAMPLES / example, folder)],
        "images": [{"name": name, **_image(image)} for name, image in images.items()],
        "patches": [
            {
                "target": {"kind": patch.kind} | ({"name": patch.name} if patch.name else {}),
                "patch": json.dumps(list(patch.operations)),
                "options": {"allowNameChange": True},
            }
            for patch in patches
        ],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization, indent=2))  # JSON is YAML
    return folder


def apply_overlay(kubectl: Kubectl, namespace: str, folder: Path) -> str:
    """Apply it in the namespace, as the example says; return what kubectl said.

    Raises:
        AssertionError: the cluster refused something, or warned of something.
    """
    done = kubectl.try_("-n", namespace, "apply", "-k", str(folder))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


def _image(image: str) -> dict[str, str]:
    name, colon, tag = image.rpartition(":")
    return {"newName": name, "newTag": tag} if colon and "/" not in tag else {"newName": image}
