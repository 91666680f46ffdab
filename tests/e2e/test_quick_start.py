"""A reader who types what docs/quick-start.md says gets what it promises: every command succeeds, in its order.

It installs and uninstalls the release itself, so that this file comes first.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.example_overlay import torch_from_a_volume
from e2e.kubectl import Kubectl
from e2e.namespaces import Namespaces
from e2e.quick_start import PAGE, TOP, commands, for_this_cluster, name_images
from e2e.release import Release
from e2e.site import Site

COMMAND_SECONDS = 400.0


@pytest.fixture
def checkout(site: Site, tmp_path: Path) -> Path:
    """A reader's copy of the repository, in which the example names images that this cluster has."""
    if site.images.trainer is None:
        pytest.skip("needs torch: name an image with TRAINER_IMAGE")
    copy = tmp_path / "checkout"
    shutil.copytree(TOP / "deploy", copy / "deploy")
    example = copy / "deploy" / "examples" / "torchrun-job" / "kustomization.yaml"
    name_images(example, {"trainer": site.images.trainer})
    if site.torch is not None:  # the trainer's image holds no torch here, because that is 5 GB
        kustomization = yaml.safe_load(example.read_text())
        kustomization["patches"] = [
            {"target": {"kind": patch.kind}, "patch": json.dumps(list(patch.operations))}
            for patch in torch_from_a_volume()
            if patch.kind == "Job"
        ]
        example.write_text(yaml.safe_dump(kustomization))
    return copy


@pytest.fixture
def environment(site: Site, kubectl: Kubectl, namespaces: Namespaces, tmp_path: Path) -> dict[str, str]:
    """A reader's shell: the programs on the PATH, the cluster in KUBECONFIG, a namespace of their own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, program in (("kubectl", site.kubectl), ("helm", site.helm)):
        (programs / name).symlink_to(program)
    config = yaml.safe_load(site.kubeconfig.read_text())
    namespace = namespaces.make("quick-start")
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**kubectl.environment, "PATH": path, "KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)}


@pytest.fixture
def nothing_stays(site: Site, kubectl: Kubectl) -> Iterator[None]:
    """Whatever the page leaves on the cluster goes."""
    release = Release(site.helm, kubectl, [])
    before = release.left_behind()
    yield
    release.take_away(before)
    for name in release.left_behind():
        if name not in before:
            kubectl("wait", name, "--for=delete", "--timeout=120s", seconds=130)


@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("nothing_stays")
def test_every_command_of_the_page_succeeds(site: Site, checkout: Path, environment: dict[str, str]) -> None:
    said = ""
    for command in commands(PAGE.read_text(), first_step=2):
        line = for_this_cluster(command, site.images.operator)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        said += f"$ {line}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
    assert "PodTerminating" in said, said
    assert "Active" in said, said
