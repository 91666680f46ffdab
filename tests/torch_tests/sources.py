"""Where torch's test files come from: a checkout that is given, else a clone of the release, else Debian's source."""

import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.images.apt_sources import own_source

REPOSITORY = "https://github.com/pytorch/pytorch"
FOLDERS = ("test/distributed/elastic", "test/distributed/launcher")
VERSION = "version.txt"
# Relative to test/distributed; one of the names of each line, which differ between releases.
FILES = (
    ("elastic/agent/server/test/api_test.py",),
    ("elastic/agent/server/test/local_elastic_agent_test.py",),
    ("elastic/rendezvous/api_test.py",),
    ("elastic/rendezvous/out_of_tree_rendezvous_test.py",),
    ("elastic/rendezvous/dynamic_rendezvous_test.py",),
    ("launcher/api_test.py", "launcher/test_api.py"),
    ("launcher/run_test.py", "launcher/test_run.py"),
)
DEBIAN_SUITES = ("sid", "trixie")
FETCH_SECONDS = 900.0


class NoSourceError(Exception):
    """The files cannot be had; the text says what was tried and what can be given instead."""


@dataclass(frozen=True)
class TestFiles:
    """A copy of torch's tests of elastic agents and launcher.

    Args:
        folder: with what is `test/distributed` in a checkout.
        origin: in words.
        release: of which they are, as in ``2.6``; "": unknown.
    """

    __test__ = False

    folder: Path
    origin: str
    release: str

    def files(self) -> list[Path]:
        """The test files that this release has, in order."""
        found = [[self.folder / name for name in names if (self.folder / name).is_file()] for names in FILES]
        return [candidates[0] for candidates in found if candidates]


def obtain(given: str | None, version: str, cache: Path, work: Path) -> TestFiles:
    """Copy the files into `work`, where they may be written to.

    Args:
        given: a checkout; None: look for the files.
        version: of torch, as in ``2.6.0+cu124``.
        cache: where what was fetched is kept.
        work: an empty folder.

    Raises:
        NoSourceError: they cannot be had.
    """
    release = version.partition("+")[0]
    if given is not None:
        return _copied(Path(given), f"checkout {given}", work)
    kept = cache / f"v{release}"
    refusals = []
    if not (kept / FOLDERS[0]).is_dir():
        for fetch in (_clone, _debian):
            try:
                fetch(release, kept)
                break
            except (NoSourceError, OSError, subprocess.SubprocessError, LocalControlPlaneError) as error:
                refusals.append(f"{fetch.__doc__} {error}")
        else:
            tried = "\n  ".join(refusals)
            raise NoSourceError(
                f"torch's test files cannot be had here:\n  {tried}\nGive a checkout of v{release}: TORCH_SOURCE=…"
            )
    origin = (kept / "origin").read_text()
    return _copied(kept, origin, work)


def _copied(checkout: Path, origin: str, work: Path) -> TestFiles:
    if not (checkout / FOLDERS[0]).is_dir():
        raise NoSourceError(f"{checkout} is no checkout of PyTorch: {FOLDERS[0]} is not there")
    for folder in FOLDERS:
        shutil.copytree(checkout / folder, work / Path(folder).name)
    (work / "pytest.ini").write_text("[pytest]\n")
    _give_metadata(work / "elastic/rendezvous/out_of_tree_test_package")
    version = checkout / VERSION
    release = ".".join(version.read_text().split(".")[:2]) if version.is_file() else ""
    return TestFiles(work, origin, release)


def _give_metadata(package: Path) -> None:
    """What an installation of torch's example of a foreign backend would write beside it."""
    project = package / "pyproject.toml"
    if not project.is_file() or list((package / "src").glob("*-info")):
        return
    entry = re.search(r"^(\w+) = '(.+)'", project.read_text().partition("torchrun.handlers")[2], re.MULTILINE)
    if entry is not None:
        info = package / "src" / "testbackend-0.0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: testbackend\nVersion: 0.0.1\n")
        (info / "entry_points.txt").write_text(f"[torchrun.handlers]\n{entry[1]} = {entry[2]}\n")


def write_entry_point(folder: Path) -> None:
    """Metadata by which torch loads `redirection`, for a folder on the path."""
    info = folder / "torch_tests-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch_tests\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[torchrun.handlers]\nredirection = torch_tests.redirection:install\n")


def _clone(release: str, kept: Path) -> None:
    """By git:"""
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "pytorch"
        shallow = ("--depth=1", f"--branch=v{release}", "--filter=blob:none", "--sparse")
        _run("git", "-c", "advice.detachedHead=false", "clone", "--quiet", *shallow, REPOSITORY, str(clone))
        _run("git", "-C", str(clone), "sparse-checkout", "set", *FOLDERS)
        _keep(clone, f"v{release}", kept)


def _debian(release: str, kept: Path) -> None:
    """By apt:"""
    with tempfile.TemporaryDirectory() as scratch:
        apt = Path(scratch)
        for part in ("lists/partial", "cache/archives/partial", "download"):
            (apt / part).mkdir(parents=True)
        mirror = own_source().mirror
        refusals = []
        for suite in DEBIAN_SUITES:
            (apt / "sources.list").write_text(f"deb-src {mirror} {suite} main\n")
            options = [
                f"--option=Dir::Etc::SourceList={apt / 'sources.list'}",
                "--option=Dir::Etc::SourceParts=/dev/null",
                f"--option=Dir::State::Lists={apt / 'lists'}",
                f"--option=Dir::Cache={apt / 'cache'}",
            ]
            try:
                _run("apt-get", "--quiet", *options, "update", cwd=apt / "download")
                _run("apt-get", "--quiet", *options, "source", "--download-only", "pytorch", cwd=apt / "download")
                (archive,) = (apt / "download").glob("*.orig.tar.*")
            except (NoSourceError, ValueError) as error:
                refusals.append(f"{suite}: {error}")
                continue
            _unpack(archive, apt / "unpacked")
            (top,) = (apt / "unpacked").iterdir()
            _keep(top, f"Debian's {archive.name} (tests of another release than {release} may not fit)", kept)
            return
        raise NoSourceError("; ".join(refusals))


def _unpack(archive: Path, folder: Path) -> None:
    wanted = re.compile(rf"[^/]+/({'|'.join((*FOLDERS, re.escape(VERSION)))})(/|$)")
    with tarfile.open(archive) as tar:
        members = [member for member in tar if wanted.match(member.name)]
        tar.extractall(folder, members, filter="data")


def _keep(checkout: Path, origin: str, kept: Path) -> None:
    for folder in FOLDERS:
        shutil.copytree(checkout / folder, kept / folder, dirs_exist_ok=True)
    if (checkout / VERSION).is_file():
        shutil.copy(checkout / VERSION, kept / VERSION)
    (kept / "origin").write_text(origin)


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise NoSourceError(said[-1] if said else f"{command[0]} ended with status {done.returncode}")
