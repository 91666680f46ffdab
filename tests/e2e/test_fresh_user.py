"""A stranger with nothing but a release gets a job: every command of docs/from-a-release.md succeeds, in its order.

The last job's trainer knows nothing of the release: the released client's image joins beside it.

On demand, `make e2e-fresh-user`: it makes a whole release.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.fresh_registry import make_release, push_plain, push_trainer
from e2e.quick_start import TOP, commands
from e2e.reader import Reader, mount_torch
from e2e.site import Site
from integration.release.local_registry import local_registry

PAGE = TOP / "docs" / "from-a-release.md"
VERSION = "0.1.0"


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
    push_plain(registry, trainer)
    push_trainer(folder / f"kube_rendezvous-{VERSION}-py3-none-any.whl", registry, trainer)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "release.pub").write_bytes(public)
    return folder


def lines(registry: str, folder: Path) -> Iterator[str]:
    """What the page says, with the stranger's own registry put in."""
    for command in commands(PAGE.read_text(), first_step=1):
        line = command.replace("REGISTRY", registry)
        if line.startswith("helm install"):
            line += " --plain-http"  # one on this machine has no certificate
        if line.startswith("kubectl apply -k examples/torchrun-job"):
            mount_torch(folder / "examples" / "torchrun-job" / "kustomization.yaml")
        yield line


@pytest.mark.timeout(2400)
def test_every_command_of_the_page_succeeds(registry: str, folder: Path, reader: Reader) -> None:
    shown = reader.types(lines(registry, folder), folder)
    print(shown)  # noqa: T201
    assert "PodTerminating" in shown or "is being deleted" in shown, shown
    for check in ("operator", "trainer", "guard", "image", "network", "API server", "names"):
        assert f"  {check} " in shown, shown
    assert "done after 300 steps" in shown, shown
