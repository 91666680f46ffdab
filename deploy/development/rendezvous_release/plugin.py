"""`kubectl rendezvous` for krew: archives that need Python and nothing else, and the manifest that names them.

The Kubernetes client has parts in machine code, one for each system, processor and version of Python. An archive is for
one system and processor, and holds the parts for every Python that it names, side by side: they have different names.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from rendezvous_release.archives import Entry, entries_below, tar_gz
from rendezvous_release.checkout import Source
from rendezvous_release.errors import ReleaseError
from rendezvous_release.running import run

PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# What pip calls a system and its processor, by what krew calls them.
PLATFORMS: Mapping[str, Sequence[str]] = {
    "linux/amd64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "linux/arm64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "darwin/amd64": ("macosx_14_0_x86_64",),
    "darwin/arm64": ("macosx_14_0_arm64",),
}

_START = '''\
#!/usr/bin/env python3
"""Starts `kubectl rendezvous` with the libraries that lie beside this file."""

import os
import sys

if sys.version_info[:2] not in {PYTHONS}:
    sys.exit("kubectl rendezvous needs Python {NAMES} as python3; it is " + sys.version.split()[0])
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))

from kubectl_rendezvous.cli import main  # noqa: E402

sys.exit(main())
'''

_LEFT_OUT = ("kubernetes/aio/", "bin/")  # the asyncio twin of the client, and programs of others
_MACHINES_OWN = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "WHEEL"})


@dataclass(frozen=True)
class Archive:
    """An archive of the plug-in.

    Args:
        platform: as `linux/amd64`.
        file: where it lies.
        sha256: of it.
    """

    platform: str
    file: Path
    sha256: str


def build_archive(
    source: Source, wheel: Path, platform: str, output: Path, folder: Path, pythons: Sequence[str] = PYTHONS
) -> Archive:
    """Build the archive for one platform.

    Args:
        source: for the licence, the version and the time.
        wheel: of this project.
        platform: one of `PLATFORMS`.
        output: where the archive goes.
        folder: an empty one.
        pythons: the versions of Python that it is for.

    Raises:
        ReleaseError: a library is not to be had for that platform, or in one version for all Pythons.
    """
    content: dict[str, Entry] = {}
    for python in pythons:
        target = folder / python
        _install(wheel, PLATFORMS[platform], python, target)
        for entry in entries_below(target, "lib/"):
            if _is_wanted(entry.name):
                _put(content, entry, platform)
    licence = Entry("LICENSE", (source.folder / "LICENSE").read_bytes())
    entries = [*content.values(), licence, Entry("kubectl-rendezvous", _start(pythons).encode(), executable=True)]
    name = f"kubectl-rendezvous-{source.version}-{platform.replace('/', '-')}.tar.gz"
    packed = tar_gz(entries, source.epoch)
    (output / name).write_bytes(packed)
    return Archive(platform, output / name, hashlib.sha256(packed).hexdigest())


def krew_manifest(version: str, archives: Sequence[Archive], url: str, pythons: Sequence[str] = PYTHONS) -> str:
    """The manifest for krew.

    Args:
        version: without the v.
        archives: what was built.
        url: the folder from which people download them.
        pythons: the versions of Python that they are for.
    """
    manifest = {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "rendezvous"},
        "spec": {
            "version": f"v{version}",
            "homepage": url,
            "shortDescription": "Look into elastic training rendezvous",
            "description": "Lists, explains and follows Rendezvous objects of kube-rendezvous: who is in, who is\n"
            "awaited and why, what each round cost, and what would happen if nodes were lost.\n",
            "caveats": f"Needs Python as python3: one of {', '.join(pythons)}.\n",
            "platforms": [_platform(archive, url) for archive in archives],
        },
    }
    return yaml.safe_dump(manifest, sort_keys=False, width=120)


def _platform(archive: Archive, url: str) -> dict[str, object]:
    system, _, processor = archive.platform.partition("/")
    return {
        "selector": {"matchLabels": {"os": system, "arch": processor}},
        "uri": f"{url.rstrip('/')}/{archive.file.name}",
        "sha256": archive.sha256,
        "bin": "kubectl-rendezvous",
    }


def _install(wheel: Path, tags: Sequence[str], python: str, target: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:"]
    where = ["--target", str(target), "--implementation=cp", f"--python-version={python}"]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    run(
        [*pip, *where, *platforms, f"{wheel}[cli]"],
        f"collecting the plug-in's libraries for {tags[0]}, Python {python}",
    )


def _is_wanted(name: str) -> bool:
    inside = name.removeprefix("lib/")
    return (
        not inside.startswith(_LEFT_OUT)
        and "/__pycache__/" not in name
        and not (".dist-info/" in name and name.rpartition("/")[2] in _MACHINES_OWN)
    )


def _put(content: dict[str, Entry], entry: Entry, platform: str) -> None:
    there = content.setdefault(entry.name, entry)
    if there.content != entry.content and ".dist-info/" not in entry.name:
        raise ReleaseError(
            f"{entry.name} of the plug-in for {platform} is not the same for every Python: pin the library in "
            "pyproject.toml, or make an archive for each Python"
        )


def _start(pythons: Sequence[str]) -> str:
    numbers = ", ".join(f"({python.replace('.', ', ')})" for python in pythons)
    return _START.replace("{PYTHONS}", f"({numbers},)").replace("{NAMES}", ", ".join(pythons))
