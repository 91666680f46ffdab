"""The controllers as they run: their folder, their processes, their start and their end."""

import base64
import json
import shlex
from collections.abc import Collection
from http import HTTPStatus
from pathlib import Path

from rendezvous_local.binaries import find_or_build
from rendezvous_local.controllers.catalogue import ALL, Controller
from rendezvous_local.controllers.configuration import LOOPBACK, Settings
from rendezvous_local.controllers.manifests import (
    Endpoint,
    source_folder,
    urls,
    webhook_configurations,
    write_definitions,
)
from rendezvous_local.crds import apply_crds
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.certificates import make_server_certificate
from rendezvous_local.node.machine_commands import search_path
from rendezvous_local.node.node import Node
from rendezvous_local.ports import free_port
from rendezvous_local.processes import ChildProcess
from rendezvous_local.readiness import status_of, wait_until_ready

READY_SECONDS = 120.0
# Trainer looks for its certificates here, below the folder for temporary files.
TRAINERS_CERTIFICATES = Path("k8s-webhook-server/serving-certs")


class Controllers:
    """Controllers beside a running node. They end with this process at the latest.

    Args:
        node: Where; its folder keeps theirs, and takes them away at its end.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._folder = node.folders.root / "controllers"
        self._processes: dict[str, ChildProcess] = {}

    @property
    def processes(self) -> list[ChildProcess]:
        """Those that were started."""
        return list(self._processes.values())

    def __getitem__(self, name: str) -> ChildProcess:
        return self._processes[name]

    def start(self, names: Collection[str] = tuple(ALL)) -> None:
        """Builds those that do not run yet, if need be, starts them, and waits until their webhooks answer.

        Args:
            names: Which, of ``catalogue.ALL``; those that they need come by themselves.

        Raises:
            LocalControlPlaneError: A name is unknown; or one could not be built, was refused by the API server, or did
                not get ready.
        """
        chosen = wanted(names)
        certificates = self._folder / "certificates"
        if not certificates.exists():
            certificates.mkdir(parents=True, mode=0o700)
            make_server_certificate(certificates, LOOPBACK)
        authority = base64.b64encode((certificates / "authority.crt").read_bytes()).decode()
        for controller in chosen:
            if controller.name not in self._processes:
                self._start(controller, certificates, authority)

    def stop(self) -> None:
        """Ends them. What they have defined stays in the cluster."""
        for process in reversed(self.processes):
            process.kill()

    def _start(self, controller: Controller, certificates: Path, authority: str) -> None:
        program, source = find_or_build(controller.program), source_folder(controller.program)
        settings = Settings(free_port(), f"{LOOPBACK}:{free_port()}", f"{LOOPBACK}:{free_port()}", certificates)
        endpoint = Endpoint(settings.port, authority)
        folder = self._folder / controller.name
        (folder / "definitions").mkdir(parents=True)
        write_definitions(controller, source, endpoint, folder / "definitions")
        apply_crds(self._node.kubeconfig, folder / "definitions")
        if controller.namespace:
            self._node.run_kubectl("create", "namespace", controller.namespace)
        if controller.secret:
            self._node.run_kubectl("-n", controller.namespace, "create", "secret", "generic", controller.secret)
        command = [str(program), *controller.flags(settings)]
        if controller.configuration is not None:
            configuration = folder / "configuration.json"
            configuration.write_text(controller.configuration(settings))
            command.insert(1, f"--config={configuration}")
        trainers = folder / TRAINERS_CERTIFICATES
        trainers.parent.mkdir()
        trainers.symlink_to(certificates)
        if controller.fixed_certificates is not None:
            command = with_certificates_at(controller.fixed_certificates, certificates, command)
        process = ChildProcess(
            f"{controller.name} {controller.program.version}",
            command,
            log=self._node.folders.logs / f"{controller.program.name}.log",
            environment={
                "PATH": search_path(),
                "HOME": "/root",
                "KUBECONFIG": str(self._node.kubeconfig),
                "TMPDIR": str(folder),
            },
            folder=folder,
        )
        self._processes[controller.name] = process
        process.start()
        webhooks = webhook_configurations(controller, source, endpoint)
        wait_until_ready(
            f"{process.name}'s webhook server",
            lambda: all(_is_there(url, certificates / "authority.crt") for url in urls(webhooks)),
            seconds=READY_SECONDS,
            processes=[process],
        )
        self._node.run_kubectl("apply", "-f", "-", text=json.dumps(webhooks))


def _is_there(url: str, authority: Path) -> bool:
    """Whether a webhook is served: a GET is no admission review, which it says, but at its own path."""
    return status_of(url, certificate=authority) not in (None, HTTPStatus.NOT_FOUND)


def wanted(names: Collection[str]) -> list[Controller]:
    """The controllers of these names and those that they need, in the order of their start.

    Raises:
        LocalControlPlaneError: A name is unknown.
    """
    unknown = set(names) - set(ALL)
    if unknown:
        raise LocalControlPlaneError(
            f"no controller is called {', '.join(sorted(unknown))}; there are {', '.join(ALL)}"
        )
    needed = {ALL[name].needs for name in names}
    return [one for name, one in ALL.items() if name in names or name in needed]


def with_certificates_at(place: Path, certificates: Path, command: list[str]) -> list[str]:
    """``command`` with an /etc or /tmp of its own, where ``place`` is ``certificates``: nothing is left behind."""
    top = Path(*place.parts[:2])
    own = f"mount -t tmpfs -o mode=755 tmpfs {top} && mkdir -p {place.parent} && ln -s {shlex.quote(str(certificates))}"
    script = f'{own} {place} && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *command]


def build_all() -> None:
    """Builds all of them, one after the other: what takes long, once.

    Raises:
        LocalControlPlaneError: One could not be built.
    """
    for controller in ALL.values():
        find_or_build(controller.program)
        source_folder(controller.program)
