"""Custom resources of other projects that the examples use: their definitions, from the projects' own Go modules."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

DOWNLOAD_SECONDS = 180.0


@dataclass(frozen=True)
class ForeignApi:
    """Where a project keeps its CustomResourceDefinitions.

    Args:
        module, version, checksum: the Go module, pinned.
        files: of the definitions, relative to the module.
    """

    module: str
    version: str
    checksum: str
    files: tuple[str, ...]


JOBSET = ForeignApi(
    "sigs.k8s.io/jobset",
    "v0.12.0",
    "h1:YYPuV0px8Ongq/RXmJg6V0w2UC67aiR+rCMD06vhQQQ=",
    ("config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml",),
)
KUEUE = ForeignApi(
    "sigs.k8s.io/kueue",
    "v0.19.0",
    "h1:5yCu85qsJhvUVVxE0Csw546DDBcRwUXpBEOmEFlws34=",
    tuple(
        f"config/components/crd/bases/kueue.x-k8s.io_{kind}.yaml"
        for kind in ("clusterqueues", "localqueues", "resourceflavors")
    ),
)
TRAINING_OPERATOR = ForeignApi(
    "github.com/kubeflow/training-operator",
    "v1.9.3",
    "h1:aaSHqskOtCY8Dn8sVd+l9p5XAczW6O0nYMPjVLAw/lc=",
    ("manifests/base/crds/kubeflow.org_pytorchjobs.yaml",),
)
TRAINER = ForeignApi(
    "github.com/kubeflow/trainer/v2",
    "v2.3.0",
    "h1:Je+e7zvTLzB4qW09J1fB7pZrqvPtWuGng2NqdN5p5QU=",
    tuple(f"manifests/base/crds/trainer.kubeflow.org_{kind}.yaml" for kind in ("trainjobs", "clustertrainingruntimes")),
)

LEADER_WORKER_SET = ForeignApi(
    "sigs.k8s.io/lws",
    "v0.8.0",
    "h1:DdhJ8QabwTfWgbgaHH2gdf8twliioHaoSfmDXRYEVU0=",
    ("config/crd/bases/leaderworkerset.x-k8s.io_leaderworkersets.yaml",),
)


class DownloadError(Exception):
    """The module could not be had; the text is Go's."""


def definitions(api: ForeignApi, go: Path, folder: Path) -> list[Path]:
    """The files of the definitions, downloaded into Go's module cache if they are not there.

    Args:
        api: whose.
        go: the Go command.
        folder: an empty one, so that no go.mod around it has a say.

    Raises:
        DownloadError: the module could not be downloaded, or is not the pinned one.
    """
    command = [str(go), "mod", "download", "-json", f"{api.module}@{api.version}"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
        )
        answer = json.loads(done.stdout or "{}")
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise DownloadError(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0 or answer.get("Error"):
        raise DownloadError(f"{' '.join(command)}: {answer.get('Error') or done.stderr}")
    if answer["Sum"] != api.checksum:
        raise DownloadError(f"{api.module}@{api.version} has the checksum {answer['Sum']}, not {api.checksum}")
    return [Path(answer["Dir"]) / file for file in api.files]
