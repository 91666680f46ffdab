"""Debian's packages for an image, fetched by apt, which checks their signatures, beside this machine's own lists."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.images.apt_sources import APT, own_source, read_sources
from rendezvous_local.images.base import DEBIAN_RELEASES
from rendezvous_release.errors import ReleaseError
from rendezvous_release.images.platforms import DEBIAN, Processor
from rendezvous_release.running import run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PACKAGES = (
    *("base-files", "netbase", "media-types", "tzdata", "ca-certificates"),
    *("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3t64", "libzstd1", "libffi8", "libbz2-1.0"),
    *("liblzma5", "libsqlite3-0", "libuuid1", "libreadline8t64", "libncursesw6", "libtinfo6", "libdb5.3t64"),
    *("libcrypt1", "python3-minimal", "python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib"),
)
_FILE = re.compile(r"(?P<name>[^_]+)_(?P<version>[^_]+)_(?P<architecture>[^_]+)\.deb")


@dataclass(frozen=True, order=True)
class SystemPackage:
    """One of them.

    Args:
        architecture: `all` if it is the same for every processor.
        file: the `.deb`.
    """

    name: str
    version: str
    architecture: str
    file: Path

    @property
    def purl(self) -> str:
        """Its name in a bill of materials."""
        version = quote(self.version, safe="~")
        return f"pkg:deb/debian/{quote(self.name)}@{version}?arch={self.architecture}&distro={DEBIAN}"


@dataclass(frozen=True)
class Mirrors:
    """Where Debian's packages come from.

    Args:
        main: URL.
        security: URL of the fixes.
    """

    main: str
    security: str


def mirrors(wanted: str = "", apt: Path = APT) -> Mirrors:
    """The mirror that is wanted, or this machine's.

    Raises:
        ReleaseError: none is wanted, and this machine is no Debian.
    """
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    sources = [source for file in files if file.is_file() for source in read_sources(file.suffix, file.read_text())]
    fixes = [source.mirror for source in sources if source.suite.endswith("-security")]
    if wanted:
        return Mirrors(wanted, f"{wanted.rstrip('/')}-security")
    try:
        own = own_source(apt)
    except LocalControlPlaneError as error:
        raise ReleaseError(f"{error}; or name a mirror of Debian: --debian-mirror URL") from error
    if own.suite not in DEBIAN_RELEASES:
        raise ReleaseError(f"this machine gets packages of {own.suite}, no Debian: --debian-mirror URL names a mirror")
    return Mirrors(own.mirror, fixes[0] if fixes else f"{own.mirror.rstrip('/')}-security")


def fetch(processor: Processor, where: Mirrors, folder: Path) -> Sequence[SystemPackage]:
    """Fetch `PACKAGES` in their newest versions.

    Args:
        folder: an empty one, for apt's lists and for the packages.

    Raises:
        ReleaseError: apt refuses, or there is none.
    """
    if not KEYRING.is_file():
        raise ReleaseError(f"{KEYRING} is missing: Debian's package debian-archive-keyring brings it")
    files = folder / "files"
    for name in ("lists/partial", "cache/archives/partial", "files"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    suites = {where.main: f"{DEBIAN} {DEBIAN}-updates", where.security: f"{DEBIAN}-security"}
    stanzas = [
        f"Types: deb\nURIs: {url}\nSuites: {names}\nComponents: main\nSigned-By: {KEYRING}\n"
        for url, names in suites.items()
    ]
    (folder / "debian.sources").write_text("\n".join(stanzas))
    settings = {
        "Dir::Etc::sourcelist": folder / "debian.sources",
        "Dir::Etc::sourceparts": "-",
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Architecture": processor.name,
        "APT::Architectures": processor.name,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "--quiet", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
    run([*apt, "--error-on=any", "update"], f"reading Debian's lists for {processor.name}")
    run([*apt, "download", *PACKAGES], f"fetching Debian's packages for {processor.name}", folder=files)
    return sorted(_package(file) for file in files.glob("*.deb"))


def _package(file: Path) -> SystemPackage:
    found = _FILE.fullmatch(file.name)
    if found is None:
        raise ReleaseError(f"{file.name} is no name of a Debian package")
    return SystemPackage(found["name"], found["version"].replace("%3a", ":"), found["architecture"], file)
