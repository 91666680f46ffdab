"""A stranger with nothing but a release gets a job: every command of docs/from-a-release.md succeeds, in its order.

On demand, `make e2e-fresh-user`: it makes a whole release.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.example_overlay import torch_from_a_volume
from e2e.fresh_registry import make_release, push_trainer
from e2e.kubectl import Kubectl
from e2e.namespaces import Namespaces
from e2e.quick_start import TOP, commands
from e2e.release import Release
from e2e.site import Site
from integration.release.local_registry import local_registry

PAGE = TOP / "docs" / "from-a-release.md"
VERSION = "0.1.0"
COMMAND_SECONDS = 400.0


@pytest.fixture
def registry(site: Site, tmp_path: Path) -> Iterator[str]:
    """A registry of this machine, which the node reaches: its containers' runtime runs here."""
    site.needs_this_machine()
    with local_registry(tmp_path / "registry") as address:
        yield address


@pytest.fixture
def folder(registry: str, tmp_path: Path) -> Path:
    """The files of a release and its public key, and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "release.pem").write_bytes(pem)
    folder = tmp_path / "empty"
    make_release(VERSION, registry, tmp_path / "release.pem", folder, TOP)
    trainer = tmp_path / "trainer"
    trainer.mkdir()
    push_trainer(folder / f"kube_rendezvous-{VERSION}-py3-none-any.whl", registry, trainer)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "release.pub").write_bytes(public)
    return folder


@pytest.fixture
def environment(site: Site, kubectl: Kubectl, namespaces: Namespaces, tmp_path: Path) -> dict[str, str]:
    """A stranger's shell: kubectl and helm on the PATH, a cluster, a namespace; nothing of this checkout."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, program in (("kubectl", site.kubectl), ("helm", site.helm)):
        (programs / name).symlink_to(program)
    config = yaml.safe_load(site.kubeconfig.read_text())
    namespace = namespaces.make("fresh-user")
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_")) or name == "LANG"}
    return {
        **kept,
        "PATH": os.pathsep.join([str(programs), "/usr/local/bin", "/usr/bin", "/bin"]),
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def nothing_stays(site: Site, kubectl: Kubectl) -> Iterator[None]:
    """Whatever the page leaves on the cluster goes."""
    release = Release(site.helm, kubectl, [])
    before = release.left_behind()
    yield
    release.take_away(before)


@pytest.mark.timeout(2400)
@pytest.mark.usefixtures("nothing_stays")
def test_every_command_of_the_page_succeeds(registry: str, folder: Path, environment: dict[str, str]) -> None:
    said = ""
    for command in commands(PAGE.read_text(), first_step=1):
        line = command.replace("REGISTRY", registry)
        if line.startswith("helm install"):
            line += " --plain-http"  # one on this machine has no certificate
        if line.startswith("kubectl apply -k examples/torchrun-job"):
            mount_torch(folder / "examples" / "torchrun-job" / "kustomization.yaml")
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        said += f"$ {line}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
    print(said)  # noqa: T201
    assert "PodTerminating" in said or "is being deleted" in said, said
    for check in ("operator", "trainer", "guard", "image", "network", "API server", "names"):
        assert f"  {check} " in said, said


def mount_torch(kustomization: Path) -> None:
    """The one thing that differs from the page: the trainer's image has no torch."""
    content = yaml.safe_load(kustomization.read_text())
    content["patches"] = [
        {"target": {"kind": patch.kind}, "patch": json.dumps(list(patch.operations))}
        for patch in torch_from_a_volume()
        if patch.kind == "Job"
    ]
    kustomization.write_text(yaml.safe_dump(content))
