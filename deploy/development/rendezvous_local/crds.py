"""Applies CustomResourceDefinitions and waits until their resources can be used."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from rendezvous_local.errors import LocalControlPlaneError

CRDS = Path(__file__).resolve().parents[3] / "crds"
FIELD_OWNER = "kube-rendezvous-local"
ESTABLISHED_SECONDS = 30.0
POLL_SECONDS = 0.05
CONNECT_AND_READ_SECONDS = (5.0, 30.0)


@dataclass(frozen=True)
class Crd:
    """One CustomResourceDefinition of a file."""

    file: Path
    name: str
    manifest: dict[str, Any]

    @property
    def group(self) -> str:
        return str(self.manifest["spec"]["group"])

    @property
    def plural(self) -> str:
        return str(self.manifest["spec"]["names"]["plural"])

    @property
    def served_versions(self) -> list[str]:
        return [version["name"] for version in self.manifest["spec"]["versions"] if version["served"]]


def apply_crds(kubeconfig: Path, folder: Path = CRDS) -> list[str]:
    """Applies ``folder/*.yaml`` (server-side) and waits until the API server serves the resources.

    Args:
        kubeconfig: Of somebody who may write CustomResourceDefinitions; its current context is used.
        folder: Files with one or more CustomResourceDefinitions each, and nothing else.

    Returns:
        The names of the definitions, as in ``rendezvous.rendezvous.dev``.

    Raises:
        LocalControlPlaneError: A file is no definition, the API server refused one or cannot be reached, or a
            definition was not established within 30 s.
    """
    import kubernetes.client  # 0.5 s: only when it is needed
    import urllib3.exceptions

    crds = list(read_crds(folder))
    try:
        with _client(kubeconfig) as client:
            for crd in crds:
                _apply(client, crd)
            deadline = time.monotonic() + ESTABLISHED_SECONDS
            for crd in crds:
                while (missing := _missing(client, crd)) is not None:
                    if time.monotonic() > deadline:
                        raise LocalControlPlaneError(
                            f"CustomResourceDefinition {crd.name} was applied but is not usable after"
                            f" {ESTABLISHED_SECONDS:.0f} s: {missing}. Look at `kubectl describe crd {crd.name}`"
                        )
                    time.sleep(POLL_SECONDS)
    except kubernetes.client.ApiException as error:
        raise LocalControlPlaneError(f"cannot read CustomResourceDefinitions: {_reason(error)}") from error
    except urllib3.exceptions.HTTPError as error:
        raise LocalControlPlaneError(f"the API server of {kubeconfig} cannot be reached: {error}") from error
    return [crd.name for crd in crds]


def read_crds(folder: Path) -> Iterator[Crd]:
    """The CustomResourceDefinitions in ``folder/*.yaml``, in the order of the file names.

    Raises:
        LocalControlPlaneError: A file cannot be parsed or holds something else.
    """
    for file in sorted(folder.glob("*.yaml")):
        try:
            documents = [document for document in yaml.safe_load_all(file.read_text()) if document is not None]
        except yaml.YAMLError as error:
            raise LocalControlPlaneError(f"{file} is not YAML: {error}") from error
        for document in documents:
            if not isinstance(document, dict) or document.get("kind") != "CustomResourceDefinition":
                raise LocalControlPlaneError(
                    f"{file} holds something that is no CustomResourceDefinition: move it away"
                )
            yield Crd(file, document["metadata"]["name"], document)


def _client(kubeconfig: Path) -> Any:
    import kubernetes.client
    import kubernetes.config

    configuration = kubernetes.client.Configuration()
    try:
        kubernetes.config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    except kubernetes.config.ConfigException as error:
        raise LocalControlPlaneError(f"{kubeconfig} is no usable kubeconfig: {error}") from error
    if urlsplit(configuration.host).hostname in ("127.0.0.1", "::1", "localhost"):
        configuration.proxy = None  # as kubectl does: a proxy of the environment cannot reach this machine's loopback
    configuration.retries = False
    return kubernetes.client.ApiClient(configuration)


def _apply(client: Any, crd: Crd) -> None:
    import kubernetes.client

    try:
        kubernetes.client.ApiextensionsV1Api(client).patch_custom_resource_definition(
            crd.name,
            crd.manifest,
            field_manager=FIELD_OWNER,
            force=True,
            _content_type="application/apply-patch+yaml",
            _request_timeout=CONNECT_AND_READ_SECONDS,
        )
    except kubernetes.client.ApiException as error:
        raise LocalControlPlaneError(f"the API server refused {crd.file} ({crd.name}): {_reason(error)}") from error


def _missing(client: Any, crd: Crd) -> str | None:
    """What keeps the resources of ``crd`` from being used, ``None`` if nothing does."""
    import kubernetes.client

    api = kubernetes.client.ApiextensionsV1Api(client)
    found = api.read_custom_resource_definition(crd.name, _request_timeout=CONNECT_AND_READ_SECONDS)
    conditions = {condition.type: condition for condition in found.status.conditions or []} if found.status else {}
    names = conditions.get("NamesAccepted")
    if names is not None and names.status == "False":
        return f"its names are not accepted: {names.message}"
    established = conditions.get("Established")
    if established is None or established.status != "True":
        return "it is not Established"
    for version in crd.served_versions:
        if not _served(client, crd, version):
            return f"{crd.plural} of {crd.group}/{version} cannot be listed yet"
    return None


def _served(client: Any, crd: Crd, version: str) -> bool:
    """Whether clients can discover the resource and list it, which is possible a moment after it is Established."""
    import kubernetes.client

    api = kubernetes.client.CustomObjectsApi(client)
    try:
        found = api.get_api_resources(crd.group, version, _request_timeout=CONNECT_AND_READ_SECONDS)
        if crd.plural not in {resource.name for resource in found.resources}:
            return False
        api.list_cluster_custom_object(
            crd.group, version, crd.plural, limit=1, _request_timeout=CONNECT_AND_READ_SECONDS
        )
    except kubernetes.client.ApiException as error:
        if error.status in (404, 429, 503):
            return False
        raise
    return True


def _reason(error: Any) -> str:
    """The sentence in the answer of the API server."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"
