"""The version that is written into the sources of a release. Pure: texts in, texts out."""

import re
from collections.abc import Mapping

from rendezvous_release.errors import ReleaseError

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")

# In which files, and in which line of each; the version is group 2.
PLACES: Mapping[str, re.Pattern[str]] = {
    "pyproject.toml": re.compile(r'^(version = ")([^"]+)(")', re.MULTILINE),
    "client/kube_rendezvous/__init__.py": re.compile(r'^(__version__ = ")([^"]+)(")', re.MULTILINE),
    "deploy/helm/kube-rendezvous/Chart.yaml": re.compile(r"^((?:version|appVersion): )(\S+)()", re.MULTILINE),
    "deploy/docker/client.Dockerfile": re.compile(r"^(ARG VERSION=)(\S+)()", re.MULTILINE),
    "deploy/docker/operator.Dockerfile": re.compile(r"^(ARG VERSION=)(\S+)()", re.MULTILINE),
}


def checked(version: str) -> str:
    """The version, if Python, helm and krew all take it.

    Raises:
        ReleaseError: they do not.
    """
    if not _VERSION.fullmatch(version):
        raise ReleaseError(f"VERSION={version!r}: use MAJOR.MINOR.PATCH, for example 0.2.0")
    return version


def stamped(file: str, text: str, version: str) -> str:
    """The text of one of `PLACES` with the version in it.

    Raises:
        ReleaseError: the line is not there.
    """
    new, count = PLACES[file].subn(rf"\g<1>{version}\g<3>", text)
    if count == 0:
        raise ReleaseError(f"{file} has no line that names the version: it is damaged")
    return new


VALUES = "deploy/helm/kube-rendezvous/values.yaml"
EXAMPLES = "deploy/examples/*/kustomization.yaml"
_REPOSITORY = re.compile(r"^(  repository: )(kube-rendezvous/operator)$", re.MULTILINE)
_CLIENT = re.compile(r"^(  - name: kube-rendezvous/client\n)(    newTag: )\S+$", re.MULTILINE)


def placed(file: str, text: str, place: str, version: str) -> str:
    """The chart's values, or an example, with where the images of this version lie.

    Args:
        file: its path in the repository.
        place: REGISTRY/FOLDER; empty: the reader's own, named as in the repository.

    Raises:
        ReleaseError: the chart's values do not name the image.
    """
    prefix = f"{place}/" if place else ""
    if file != VALUES:
        name = f"    newName: {prefix}kube-rendezvous/client\n" if place else ""
        return _CLIENT.sub(rf"\g<1>{name}\g<2>{version}", text)
    new, count = _REPOSITORY.subn(rf"\g<1>{prefix}\g<2>", text)
    if count != 1:
        raise ReleaseError(f"{file} does not name the operator's image once: it is damaged")
    return new
