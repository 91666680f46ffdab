"""`make release` twice gives the same bytes, and what it makes works without a source tree and can be verified.

Two releases of the newest commit: one from this checkout, one from a clone, whose files have other times and lie
elsewhere; the first is pushed to a registry. Needs the package index, and a mirror of Debian for the images.
"""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integration.release.local_registry import local_registry
from rendezvous_local.binaries import find_or_build
from rendezvous_local.node.system_packages import SystemProgram, install_missing
from rendezvous_local.programs import COSIGN, CRANE, HELM, KREW, KUBECTL
from rendezvous_release.checkout import TOP
from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.system_packages import KEYRING, mirrors

VERSION = "7.8.9"
SECONDS = 900.0
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORM = "linux/arm64" if os.uname().machine == "aarch64" else "linux/amd64"
URL = "https://example.org/VERSION"

pytestmark = pytest.mark.timeout(2000)


@dataclass(frozen=True)
class Made:
    """Two releases of one commit."""

    commit: str
    first: Path
    second: Path
    public_key: Path
    registry: str

    def image(self, name: str) -> str:
        """Where an image of the first lies in the registry."""
        return f"{self.registry}/team/kube-rendezvous/{name}:{VERSION}"


def make(repository: Path, output: Path, key: Path, registry: str, *more: str) -> None:
    arguments = ["--version", VERSION, "--output", output, "--key", key, "--url", URL]
    arguments += ["--registry", f"oci://{registry}/team", *more]
    plugin = ["--platform", PLATFORM, "--python", PYTHON]
    done = subprocess.run(
        [sys.executable, "-m", "rendezvous_release", *map(str, arguments), *plugin],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository / "deploy" / "development")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def has_debian() -> bool:
    """Whether this machine can make images: it knows a mirror of Debian, and has the keys to check it."""
    try:
        mirrors()
    except ReleaseError:
        return False
    return KEYRING.is_file()


NEEDS_DEBIAN = pytest.mark.skipif(not has_debian(), reason="images are made of Debian's packages: no mirror is known")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Made:
    if PYTHON not in ("3.11", "3.12", "3.13", "3.14"):
        pytest.skip(f"the plug-in is not made for Python {PYTHON}")
    folder = tmp_path_factory.mktemp("release")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "key.pub").write_bytes(public)
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=TOP, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        pytest.skip(f"a release is made of a commit, and this is no checkout: {asked.stderr.strip()}")
    subprocess.run(["git", "clone", "--quiet", str(TOP), str(folder / "clone")], check=True, timeout=120)
    images = [] if has_debian() else ["--no-images"]
    make(TOP, folder / "first", folder / "key.pem", registry, "--push", *images)
    make(folder / "clone", folder / "second", folder / "key.pem", registry, *images)
    return Made(asked.stdout.strip(), folder / "first", folder / "second", folder / "key.pub", registry)


def openssl_takes(made: Made, text: bytes, signature: str, folder: Path) -> bool:
    (folder / "text").write_bytes(text)
    (folder / "sig").write_bytes(base64.b64decode(signature))
    command = ["openssl", "dgst", "-sha256", "-verify", str(made.public_key), "-signature", "sig", "text"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_two_releases_of_one_commit_have_the_same_bytes(made: Made) -> None:
    names = sorted(file.name for file in made.first.iterdir())
    assert names == sorted(file.name for file in made.second.iterdir())
    different = [name for name in names if (made.first / name).read_bytes() != (made.second / name).read_bytes()]
    assert different == []


def test_sha256sum_finds_every_artifact_as_it_is_listed(made: Made) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=made.first, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    listed = {line.split()[1] for line in (made.first / "SHA256SUMS").read_text().splitlines()}
    kinds = (".whl", ".tar.gz", ".tgz", ".yaml", ".cdx.json", ".notices.txt", ".oci.tar")
    assert listed == {file.name for file in made.first.iterdir() if file.name.endswith(kinds)}


def test_openssl_takes_the_signature_of_the_sums_and_not_of_changed_ones(made: Made, tmp_path: Path) -> None:
    text, signature = (made.first / "SHA256SUMS").read_bytes(), (made.first / "SHA256SUMS.sig").read_text()
    assert openssl_takes(made, text, signature, tmp_path)
    assert not openssl_takes(made, text.replace(b"a", b"b", 1), signature, tmp_path)


def test_the_signed_provenance_names_every_artifact_and_the_commit(made: Made, tmp_path: Path) -> None:
    envelope = json.loads((made.first / "provenance.dsse.json").read_text())
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    assert openssl_takes(made, signed, envelope["signatures"][0]["sig"], tmp_path)
    said = json.loads(payload)
    subjects = {f"{one['digest']['sha256']}  {one['name']}" for one in said["subject"]}
    assert subjects == set((made.first / "SHA256SUMS").read_text().splitlines())
    dependency = said["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    assert dependency["digest"] == {"gitCommit": made.commit}


def test_the_wheel_has_the_version_and_the_licence(made: Made) -> None:
    with zipfile.ZipFile(made.first / f"kube_rendezvous-{VERSION}-py3-none-any.whl") as wheel:
        assert f'__version__ = "{VERSION}"' in wheel.read("kube_rendezvous/__init__.py").decode()
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())
        assert "kube_rendezvous_operator/__main__.py" in wheel.namelist()


def test_the_sdist_holds_what_the_wheel_is_made_of(made: Made) -> None:
    with tarfile.open(made.first / f"kube_rendezvous-{VERSION}.tar.gz") as sdist:
        names = sdist.getnames()
    assert f"kube_rendezvous-{VERSION}/client/kube_rendezvous/__init__.py" in names
    assert f"kube_rendezvous-{VERSION}/pyproject.toml" in names


def test_the_packaged_chart_renders_the_operator_of_its_version(made: Made) -> None:
    chart = made.first / f"kube-rendezvous-{VERSION}.tgz"
    command = [str(find_or_build(HELM)), "template", "it", str(chart), "--namespace", "somewhere"]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    (deployment,) = [one for one in yaml.safe_load_all(rendered) if one and one["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == made.image("operator")


def test_the_bundles_hold_the_resource_definitions_and_the_whole_release(made: Made) -> None:
    bundle = list(yaml.safe_load_all((made.first / f"kube-rendezvous-crds-{VERSION}.yaml").read_text()))
    assert bundle == [yaml.safe_load(file.read_text()) for file in sorted((TOP / "crds").glob("*.yaml"))]
    text = (made.first / f"kube-rendezvous-install-{VERSION}.yaml").read_text()
    kinds = {one["kind"] for one in yaml.safe_load_all(text) if one}
    assert {"Namespace", "CustomResourceDefinition", "Deployment", "ValidatingAdmissionPolicy"} <= kinds
    assert "helm.sh" not in text.replace("helm.sh/resource-policy", "")


def test_the_plug_in_runs_with_python_alone(made: Made, tmp_path: Path) -> None:
    archive = made.first / f"kubectl-rendezvous-{VERSION}-{PLATFORM.replace('/', '-')}.tar.gz"
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    # -I -S: nothing of this environment, so that every library is the archive's own.
    command = [sys.executable, "-I", "-S", str(tmp_path / "kubectl-rendezvous"), "list"]
    nowhere = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, env=nowhere, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "kubeconfig" in done.stderr.lower() or "KUBECONFIG" in done.stderr


def test_krews_manifest_names_the_archive_and_its_sum(made: Made) -> None:
    manifest = yaml.safe_load((made.first / f"rendezvous-{VERSION}.krew.yaml").read_text())
    (platform,) = manifest["spec"]["platforms"]
    sums = dict(reversed(line.split()) for line in (made.first / "SHA256SUMS").read_text().splitlines())
    name = platform["uri"].removeprefix(f"https://example.org/{VERSION}/")
    assert platform["sha256"] == sums[name]
    assert manifest["spec"]["version"] == f"v{VERSION}"


def test_krew_installs_the_plug_in(made: Made, tmp_path: Path) -> None:
    archive = made.first / f"kubectl-rendezvous-{VERSION}-{PLATFORM.replace('/', '-')}.tar.gz"
    manifest = made.first / f"rendezvous-{VERSION}.krew.yaml"
    command = [str(find_or_build(KREW)), "install", f"--manifest={manifest}", f"--archive={archive}"]
    environment = {**os.environ, "KREW_ROOT": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    program = [sys.executable, "-I", "-S", str(tmp_path / "bin" / "kubectl-rendezvous"), "--help"]
    shown = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert "kubectl rendezvous" in shown.stdout, shown.stderr


@pytest.mark.parametrize(("image", "carried"), [("operator", "kopf"), ("client", "kubernetes")])
def test_the_sbom_and_the_notices_name_the_same_software(made: Made, image: str, carried: str) -> None:
    document = json.loads((made.first / f"kube-rendezvous-{image}-{VERSION}.cdx.json").read_text())
    listed = {(one["name"], one["version"]) for one in document["components"]}
    notices = (made.first / f"kube-rendezvous-{image}-{VERSION}.notices.txt").read_text()
    assert carried in {name for name, _ in listed}
    assert document["metadata"]["component"]["version"] == VERSION
    system = {(one["name"], one["version"]) for one in document["components"] if one["purl"].startswith("pkg:deb/")}
    assert ("libpython3.13-stdlib" in {name for name, _ in system}) == has_debian()
    assert {one for one in listed - system if f"\n{one[0]} {one[1]}: " not in notices} == set()
    assert str(TOP) not in json.dumps(document)
    assert "/tmp/" not in json.dumps(document)


def test_the_examples_need_no_checkout(made: Made, tmp_path: Path) -> None:
    with tarfile.open(made.first / f"kube-rendezvous-examples-{VERSION}.tar.gz") as files:
        files.extractall(tmp_path, filter="data")
    for example in ("torchrun-job", "sidecar"):
        command = [str(find_or_build(KUBECTL)), "kustomize", str(tmp_path / "examples" / example)]
        rendered = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert "kind: Rendezvous" in rendered
    assert f"image: {made.image('client')}" in rendered


IMAGES = pytest.mark.parametrize("image", ["operator", "client"])


def crane(*arguments: str) -> bytes:
    command = [str(find_or_build(CRANE)), *arguments]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@NEEDS_DEBIAN
@IMAGES
def test_an_image_lies_in_the_registry_whole_for_both_processors(made: Made, image: str) -> None:
    index = json.loads(crane("manifest", made.image(image)))
    assert [one["platform"]["architecture"] for one in index["manifests"]] == ["amd64", "arm64"]
    for processor in ("amd64", "arm64"):
        crane("validate", "--remote", made.image(image), "--platform", f"linux/{processor}")
    assert index["annotations"]["org.opencontainers.image.revision"] == made.commit


@NEEDS_DEBIAN
@IMAGES
def test_the_archive_of_an_image_pushes_the_same_image(made: Made, image: str, tmp_path: Path) -> None:
    with tarfile.open(made.first / f"kube-rendezvous-{image}-{VERSION}.oci.tar") as files:
        files.extractall(tmp_path, filter="data")
    copy = f"{made.registry}/elsewhere/{image}:{VERSION}"
    crane("push", str(tmp_path), copy)
    assert crane("digest", copy) == crane("digest", made.image(image))


def cosign(made: Made, verb: str, *arguments: str, key: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """cosign, which is not what signs: no transparency log knows of a key of our own."""
    trust = ["--key", str(key or made.public_key), "--insecure-ignore-tlog", "--allow-http-registry"]
    command = [str(find_or_build(COSIGN)), verb, *trust, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@NEEDS_DEBIAN
@IMAGES
def test_cosign_takes_the_signature_of_an_image_and_no_other_key(made: Made, image: str, tmp_path: Path) -> None:
    done = cosign(made, "verify", made.image(image))
    assert done.returncode == 0, done.stderr
    other = tmp_path / "other.pub"
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    other.write_bytes(public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    assert cosign(made, "verify", made.image(image), key=other).returncode != 0


@NEEDS_DEBIAN
@IMAGES
def test_cosign_takes_what_is_attested_of_an_image(made: Made, image: str) -> None:
    for kind, told in (("cyclonedx", "pkg:deb/debian/libc6@2"), ("https://slsa.dev/provenance/v1", made.commit)):
        done = cosign(made, "verify-attestation", "--type", kind, made.image(image))
        assert done.returncode == 0, done.stderr
        envelopes = [json.loads(line) for line in done.stdout.splitlines() if line]
        statements = [base64.b64decode(envelope["payload"]).decode() for envelope in envelopes]
        assert any(told in statement for statement in statements)


@pytest.fixture(scope="module")
def unpacked(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The operator's image for a processor, as a folder."""

    def unpack(processor: str) -> Path:
        folder = tmp_path_factory.mktemp(processor)
        folder.chmod(0o755)  # somebody else's root, too
        exported = crane("export", made.image("operator"), "-", "--platform", f"linux/{processor}")
        with tarfile.open(fileobj=io.BytesIO(exported)) as files:
            files.extractall(folder, filter="fully_trusted")
        return folder

    return unpack


LOADS = (
    "import aiohttp, bz2, ctypes, kopf, lzma, pydantic_core, sqlite3, ssl, yaml; print(ssl.create_default_context())"
)


@NEEDS_DEBIAN
def test_the_operator_of_the_image_starts_as_nobody_without_a_shell(unpacked: Callable[[str], Path]) -> None:
    if os.geteuid() != 0 or os.uname().machine != "x86_64":
        pytest.skip("changes its root, so it needs root, and the image's processor")
    top = unpacked("amd64")
    assert not (top / "usr/bin/sh").exists()
    enter = ["chroot", "--userspec=65532:65532", str(top)]
    for command in (
        ["/opt/kube-rendezvous/bin/python", "-c", LOADS],
        ["/opt/kube-rendezvous/bin/kube-rendezvous-operator", "--help"],
    ):
        done = subprocess.run([*enter, *command], capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
    assert "--leader-elect" in done.stdout


@NEEDS_DEBIAN
def test_every_library_of_the_image_for_the_other_processor_loads_in_an_emulator(
    unpacked: Callable[[str], Path],
) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("installs an emulator: needs root and apt-get")
    install_missing([SystemProgram("qemu-aarch64-static", "qemu-user-static")])
    top = unpacked("arm64")
    command = ["qemu-aarch64-static", "-L", str(top), str(top / "usr/bin/python3.13"), "-c", LOADS]
    places = {"PYTHONPATH": str(top / "opt/kube-rendezvous/lib/python3.13/site-packages"), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=places, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_holds_something_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("…")
    command = [sys.executable, "-m", "rendezvous_release", "--version", VERSION, "--output", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(TOP / "deploy" / "development")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "holds something that is no release" in done.stderr
    assert (tmp_path / "thesis.tex").is_file()
