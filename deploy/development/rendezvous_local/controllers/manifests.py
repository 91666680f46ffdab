"""A project's definitions and webhooks, out of its Go module, for a controller that is a process of this machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rendezvous_local.binaries import HOW_TO_GET_GO, find_go
from rendezvous_local.controllers.catalogue import Controller
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.machine_commands import run
from rendezvous_local.programs import Program

DOWNLOAD_SECONDS = 300.0


@dataclass(frozen=True)
class Endpoint:
    """Where a controller's webhooks are.

    Attributes:
        port: On this machine.
        authority: Of its certificate, base64 of PEM, as the API wants it.
    """

    port: int
    authority: str

    def client_config(self, path: str) -> dict[str, str]:
        """How the API server reaches it: no Service, which would want a pod."""
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.authority}


def source_folder(program: Program) -> Path:
    """The source of the pinned module, downloaded into Go's module cache if it is not there.

    Raises:
        LocalControlPlaneError: There is no Go, or the module could not be downloaded or is not the pinned one.
    """
    go = find_go()
    if go is None:
        raise LocalControlPlaneError(
            f"the manifests of {program.required} come by Go, which is not here. {HOW_TO_GET_GO}"
        )
    answer = run(
        [str(go), "-C", str(program.module), "mod", "download", "-json", program.required],
        seconds=DOWNLOAD_SECONDS,
        environment={"GOWORK": "off", "GOFLAGS": "-mod=readonly"},
    )
    return Path(json.loads(answer)["Dir"])


def write_definitions(controller: Controller, source: Path, endpoint: Endpoint, folder: Path) -> None:
    """Writes the CustomResourceDefinitions into ``folder``, an empty one."""
    for file in sorted((source / controller.definitions).glob("*.yaml")):
        kinds = [one for one in _documents(file) if one["kind"] == "CustomResourceDefinition"]
        for one in kinds:
            if one["spec"]["names"]["plural"] in controller.converted:
                how = {"clientConfig": endpoint.client_config("/convert"), "conversionReviewVersions": ["v1"]}
                one["spec"]["conversion"] = {"strategy": "Webhook", "webhook": how}
        if kinds:
            (folder / file.name).write_text(yaml.safe_dump_all(kinds))


def urls(webhooks: dict[str, Any]) -> set[str]:
    """Where the webhooks of a list of configurations are called."""
    return {hook["clientConfig"]["url"] for one in webhooks["items"] for hook in one["webhooks"]}


def webhook_configurations(controller: Controller, source: Path, endpoint: Endpoint) -> dict[str, Any]:
    """The webhook configurations, as a List for ``kubectl apply``."""
    configurations = []
    for one in _documents(source / controller.webhooks):
        one["metadata"] = {"name": f"{controller.name}-{one['kind'].removesuffix('WebhookConfiguration').lower()}"}
        one["webhooks"] = [
            hook
            | {"clientConfig": endpoint.client_config(hook["clientConfig"]["service"]["path"])}
            | _seen(controller, hook)
            for hook in one["webhooks"]
            if not controller.only_webhooks or _kind_of(hook) in controller.only_webhooks
        ]
        configurations.append(one)
    return {"apiVersion": "v1", "kind": "List", "items": configurations}


def _seen(controller: Controller, hook: dict[str, Any]) -> dict[str, Any]:
    if not controller.pod_label or _kind_of(hook) != "pod":
        return {}
    return {"objectSelector": {"matchExpressions": [{"key": controller.pod_label, "operator": "Exists"}]}}


def _kind_of(hook: dict[str, Any]) -> str:
    """``job`` for ``mjob.kb.io`` and ``vjob.kb.io``."""
    return str(hook["name"]).partition(".")[0][1:]


def _documents(file: Path) -> Iterator[dict[str, Any]]:
    yield from (one for one in yaml.safe_load_all(file.read_text()) if one)
