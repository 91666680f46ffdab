"""Images are built with what is there, from what this machine reaches, and again only when their sources change."""

import json
import tarfile
from pathlib import Path

import pytest

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.images import tool
from rendezvous_local.images.apt_sources import Source, own_source, read_sources
from rendezvous_local.images.archive import write_image, write_layer_of_one_file
from rendezvous_local.images.base import fitting_source
from rendezvous_local.images.build import IMAGES, OPERATOR, Image, fingerprint
from rendezvous_local.images.package_index import pip_conf, read_settings
from rendezvous_local.images.tool import BuildRequest, BuildTool, choose_tool

STANZAS = """\
# a comment
Types: deb deb-src
URIs: https://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN KEY-----
 URIs: not a field
 -----END KEY-----

Types: deb
Enabled: no
URIs: https://mirror.example/old
Suites: bullseye
Components: main
"""


class TestAptSources:
    def test_in_stanzas(self) -> None:
        assert read_sources(".sources", STANZAS) == [
            Source("https://mirror.example/debian", "bookworm", ("main", "contrib")),
            Source("https://mirror.example/debian", "bookworm-updates", ("main", "contrib")),
        ]

    def test_in_lines(self) -> None:
        text = (
            "# deb http://commented.example/debian bookworm main\n"
            "deb-src http://mirror.example/debian bookworm main\n"
            "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main non-free # ours\n"
        )

        assert read_sources(".list", text) == [Source("http://mirror.example/debian", "bookworm", ("main", "non-free"))]

    def test_of_this_machine_are_those_of_its_release(self, tmp_path: Path) -> None:
        (tmp_path / "sources.list.d").mkdir()
        (tmp_path / "sources.list").write_text("deb https://tools.example/apt cloud-bookworm main\n")
        (tmp_path / "sources.list.d" / "debian.sources").write_text(STANZAS)

        assert own_source(tmp_path).suite == "bookworm"

    def test_that_name_no_release_are_an_error_that_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(LocalControlPlaneError, match="BASE="):
            own_source(tmp_path)

    @pytest.mark.parametrize(
        ("own", "python", "fitting"),
        [
            ("bookworm", (3, 13), "trixie"),
            ("trixie", (3, 11), "bookworm"),
            ("trixie", (3, 15), "trixie"),
            ("noble", (3, 11), "noble"),
        ],
    )
    def test_give_the_release_with_our_python(self, own: str, python: tuple[int, int], fitting: str) -> None:
        assert fitting_source(Source("https://mirror.example", own, ("main",)), python).suite == fitting


class TestThePipConfigurationOfABuild:
    def test_has_the_index_and_the_certificates_but_no_folder_of_this_machine(self) -> None:
        listing = (
            "global.cert='/etc/certificates.crt'\n"
            "global.find-links='/opt/wheels'\n"
            "global.index-url='https://a.example/simple'\n"
            ":env:.index-url='https://b.example/simple'\n"
        )

        assert pip_conf(read_settings(listing), own_certificates=True) == (
            "[global]\nindex-url = https://b.example/simple\ncert = /run/secrets/certificates\n"
        )

    def test_is_empty_when_this_machine_has_none(self) -> None:
        assert pip_conf(read_settings(""), own_certificates=False) == "[global]\n"


class TestTheTool:
    REQUEST = BuildRequest(
        "operator:1",
        Path("Dockerfile"),
        Path("."),
        local_base=True,
        arguments={"BASE": "localhost/python"},
        secrets={"pip.conf": Path("/tmp/pip.conf")},
    )

    @pytest.mark.parametrize("name", tool.TOOLS)
    def test_gets_base_and_secrets(self, name: str) -> None:
        command = BuildTool(name).build(self.REQUEST)

        assert command[:2] == [name, "build"]
        assert {"--build-arg=BASE=localhost/python", "--secret=id=pip.conf,src=/tmp/pip.conf"} <= set(command)

    def test_asks_no_registry_for_a_base_that_is_here(self) -> None:
        assert "--pull=never" in BuildTool("buildah").build(self.REQUEST)

    def test_is_the_one_that_was_asked_for_or_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tool, "search_path", lambda: "/nowhere")

        with pytest.raises(LocalControlPlaneError, match="IMAGE_TOOL=kaniko: it is one of buildah, podman, docker"):
            choose_tool("kaniko")
        with pytest.raises(LocalControlPlaneError, match="none of buildah, podman, docker works here"):
            choose_tool()

    def test_is_no_docker_command_without_a_server(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "docker").chmod(0o755)
        monkeypatch.setattr(tool, "search_path", lambda: str(tmp_path))
        monkeypatch.setattr(tool, "run_quietly", lambda command: False)

        with pytest.raises(LocalControlPlaneError, match="works here"):
            choose_tool()
        with pytest.raises(LocalControlPlaneError, match="docker is missing here, or has no server"):
            choose_tool("docker")


class TestTheFingerprint:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        (tmp_path / "client").mkdir()
        (tmp_path / "operator").mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE", "client/code.py", "Dockerfile"):
            (tmp_path / name).write_text(name)
        return tmp_path

    def test_changes_with_the_sources_the_dockerfile_and_the_base(self, repository: Path) -> None:
        image = Image("operator", repository / "Dockerfile", repository)
        seen = {fingerprint(image, "base:1"), fingerprint(image, "base:2")}
        for name in ("client/code.py", "Dockerfile"):
            (repository / name).write_text("changed")
            seen.add(fingerprint(image, "base:1"))

        assert len(seen) == 4

    def test_is_no_number_to_whoever_reads_yaml(self, repository: Path) -> None:
        image = Image("operator", repository / "Dockerfile", repository)
        assert all(fingerprint(image, f"base:{number}")[0].isalpha() for number in range(50))

    def test_stays_when_python_has_compiled_the_sources(self, repository: Path) -> None:
        image = Image("operator", repository / "Dockerfile", repository)
        before = fingerprint(image, "base")
        (repository / "client" / "__pycache__").mkdir()
        (repository / "client" / "__pycache__" / "code.pyc").write_text("compiled")

        assert fingerprint(image, "base") == before


def test_an_image_of_one_file_can_be_loaded_as_docker_saves_them(tmp_path: Path) -> None:
    write_layer_of_one_file(tmp_path / "layer", "/pause", b"program")
    write_image(tmp_path / "image.tar", "localhost/pause:1", tmp_path / "layer", entrypoint=["/pause"])

    with tarfile.open(tmp_path / "image.tar") as archive:
        (entry,) = json.loads(_read(archive, "manifest.json"))
        config = json.loads(_read(archive, entry["Config"]))
        layer = archive.extractfile(entry["Layers"][0])
        assert layer is not None
        with tarfile.open(fileobj=layer) as files:
            assert files.getmember("pause").mode == 0o755
    assert entry["RepoTags"] == ["localhost/pause:1"]
    assert config["config"]["Entrypoint"] == ["/pause"]


def test_the_dockerfiles_run_as_nobody_and_name_their_entry_point() -> None:
    for image in IMAGES:
        lines = image.dockerfile.read_text().splitlines()
        program = "kube-rendezvous-operator" if image == OPERATOR else "kube-rendezvous"

        assert "USER 65532:65532" in lines
        assert lines[-1] == f'ENTRYPOINT ["{program}"]'


def _read(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(name)
    assert file is not None
    return file.read().decode()
