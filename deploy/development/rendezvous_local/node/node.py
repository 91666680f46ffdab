"""A whole cluster of one node: its start, its parts taken away and brought back, its end."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.images.archive import write_image, write_layer_of_one_file
from rendezvous_local.node import kernel_settings, network, parts
from rendezvous_local.node.clean_up import BEFORE, KERNEL_SETTINGS, clean_up
from rendezvous_local.node.cluster_objects import cluster_dns
from rendezvous_local.node.command_lines import CommandLines
from rendezvous_local.node.configuration import write_configuration
from rendezvous_local.node.containerd_config import PAUSE_IMAGE
from rendezvous_local.node.containers import Containers
from rendezvous_local.node.layout import CLUSTER_DOMAIN, NODE_NAME, Folders, Ports, root_folder
from rendezvous_local.node.machine_commands import run, run_quietly
from rendezvous_local.node.name_lookup import knows
from rendezvous_local.node.node_programs import NodePrograms, find_build_or_install
from rendezvous_local.node.parts import Parts
from rendezvous_local.node.state_folder import StateFolder
from rendezvous_local.node.what_was_before import look_around
from rendezvous_local.ports import free_port
from rendezvous_local.processes import ChildProcess
from rendezvous_local.readiness import answers_ok, wait_until_ready

READY_SECONDS = 120.0
LOAD_SECONDS = 300.0


class Node:
    """A real cluster of one node, for use in a ``with`` statement. It needs root; there can be one on a machine.

    Args:
        programs: What to run; found, built or installed at the start when ``None``.
        root: Its folder; by default that of ``layout.root_folder()``.
        gates: Feature gates to switch on, such as ``feature_gates.NEWEST``.
    """

    def __init__(
        self, programs: NodePrograms | None = None, *, root: Path | None = None, gates: Sequence[str] = ()
    ) -> None:
        self.folders = Folders(root or root_folder())
        self.start_seconds = 0.0
        self._gates = tuple(gates)
        self._programs = programs
        self._state = StateFolder(self.folders.root)
        self._commands: CommandLines | None = None
        self._parts: Parts | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def name(self) -> str:
        """The name of its Node object."""
        return NODE_NAME

    @property
    def url(self) -> str:
        """Where the API server is."""
        return self._running_commands().server

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of an administrator, readable only by root."""
        return self.folders.admin_kubeconfig

    @property
    def kubectl(self) -> Path:
        """A kubectl of the same version."""
        return self._running_commands().programs.kubectl

    @property
    def parts(self) -> Parts:
        """Its programs by name (``rendezvous_local.node.parts`` has the names)."""
        if self._parts is None:
            raise LocalControlPlaneError("the node is not running: call start() first")
        return self._parts

    @property
    def containers(self) -> Containers:
        """The containers as this machine sees them, such as their process numbers."""
        return Containers(self._running_commands(), self.kubeconfig)

    def start(self) -> None:
        """Starts an empty cluster and waits until pods can run on it. What a killed node left is cleaned up first.

        Raises:
            LocalControlPlaneError: A node runs already, this is not root, or a program is missing or was not ready.
        """
        programs = self._programs or find_build_or_install()
        began = time.monotonic()
        self._state.take()
        try:
            self._start_clean(programs)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - began

    def stop(self) -> None:
        """Ends everything and takes back everything; does nothing when it is stopped.

        Raises:
            LocalControlPlaneError: Something could not be taken back; the message names it.
        """
        problems: list[str] = []
        try:
            if self._parts is not None:
                self._parts.kill_all()
        finally:
            self._parts = self._commands = None
            if self._state.owned:
                problems = clean_up(self.folders.root)
                self._state.release()
        if problems:
            raise LocalControlPlaneError(could_not_clean_up(problems))

    def load_image(self, archive: Path) -> None:
        """Gives the images in ``archive`` (as of ``docker save``) to the node; pods use them under their names there.

        Raises:
            LocalControlPlaneError: containerd cannot read it.
        """
        run(self.load_command(str(archive)), seconds=LOAD_SECONDS)

    def load_command(self, archive: str) -> list[str]:
        """The command that gives an archive's images to the node, for a person."""
        # Only the unpacked layers are kept: half the disk, and less than half the time.
        return self._running_commands().ctr("images", "import", "--local", "--discard-unpacked-layers", archive)

    def run_kubectl(self, *arguments: str, text: str | None = None, seconds: float = 60.0) -> str:
        """Runs kubectl as administrator and returns its output; ``text`` is what it reads from stdin.

        Raises:
            LocalControlPlaneError: It failed; with what it wrote to stderr.
        """
        command = [str(self.kubectl), f"--kubeconfig={self.kubeconfig}", *arguments]
        return run(command, text=text, seconds=seconds)

    def stop_kubelet(self, *, kill: bool = False) -> None:
        """Takes the kubelet away, with SIGKILL if ``kill``: containers go on, nobody reports on them any more."""
        _end(self.parts[parts.KUBELET], kill)

    def start_kubelet(self) -> None:
        """Brings the kubelet back and waits until the node is Ready."""
        self.parts.start(parts.KUBELET)
        self.wait_until_node_ready()

    def stop_api_server(self, *, kill: bool = False) -> None:
        """Takes the API server away, with SIGKILL if ``kill``; address and data stay for ``start_api_server()``."""
        _end(self.parts[parts.API_SERVER], kill)

    def start_api_server(self) -> None:
        """Brings the API server back on its old address and waits until it is ready.

        Controller manager and scheduler end by themselves when they cannot reach it for long, as in any cluster, where
        somebody starts them again: here, that is done now.
        """
        self.parts.start(parts.API_SERVER)
        self.wait_until_ready()
        for name in (parts.CONTROLLER_MANAGER, parts.SCHEDULER, parts.DNS, parts.PROXY):
            if not self.parts[name].running:
                self.parts.start(name)

    def wait_until_ready(self) -> None:
        """Waits until the API server's ``/readyz`` says ok.

        Raises:
            LocalControlPlaneError: A program ended, or it took more than 120 s; with the end of the logs.
        """
        authority = self.folders.certificates / "authority.crt"
        self._wait_for(
            f"the API server at {self.url}",
            lambda: answers_ok(f"{self.url}/readyz", certificate=authority),
            parts.ETCD,
            parts.API_SERVER,
        )

    def wait_until_node_ready(self) -> None:
        """Waits until the Node object says Ready, and says so since the kubelet's newest start.

        Raises:
            LocalControlPlaneError: A program ended, or it took more than 120 s; with the end of the logs.
        """
        self._wait_for(f"node {NODE_NAME}", self._node_is_ready, parts.CONTAINERD, parts.API_SERVER, parts.KUBELET)

    def _start_clean(self, programs: NodePrograms) -> None:
        root = self.folders.root
        problems = clean_up(root, keep_folder=True)
        if problems:
            raise LocalControlPlaneError(could_not_clean_up(problems))
        look_around().write(root / BEFORE)
        kernel_settings.load_modules()
        kernel_settings.save(root / KERNEL_SETTINGS)
        kernel_settings.apply()
        addresses = network.read_addresses()
        network.set_up(addresses)
        self.folders.make()
        self._commands = CommandLines(programs, self.folders, addresses, _free_ports(), self._gates)
        write_configuration(self._commands)
        self._parts = Parts(self._commands)
        self._start_parts(programs)

    def _start_parts(self, programs: NodePrograms) -> None:
        self.parts.start(parts.CONTAINERD, parts.ETCD, parts.API_SERVER)
        commands = self._running_commands()
        self._wait_for("containerd", lambda: run_quietly(commands.ctr("version")), parts.CONTAINERD)
        pause, layer = self.folders.root / "pause.tar", self.folders.root / "pause-layer.tar"
        write_layer_of_one_file(layer, "/pause", programs.pause.read_bytes())
        write_image(pause, PAUSE_IMAGE, layer, entrypoint=["/pause"])
        self.load_image(pause)
        self.wait_until_ready()
        self.parts.start(parts.CONTROLLER_MANAGER, parts.SCHEDULER, parts.KUBELET, parts.PROXY, parts.DNS)
        self.run_kubectl("apply", "-f", "-", text=cluster_dns(commands.addresses, commands.ports))
        self.wait_until_node_ready()
        self._wait_for(
            "the ServiceAccount default",
            lambda: self._exists("serviceaccount/default"),
            parts.API_SERVER,
            parts.CONTROLLER_MANAGER,
        )
        health = f"http://127.0.0.1:{commands.ports.proxy_health}/healthz"
        self._wait_for("kube-proxy", lambda: answers_ok(health), parts.PROXY)
        name, server = f"kubernetes.default.svc.{CLUSTER_DOMAIN}", commands.addresses.dns_service
        self._wait_for(f"the DNS, asked at {server} for {name},", lambda: knows(server, name), parts.DNS, parts.PROXY)

    def _wait_for(self, what: str, ready: Callable[[], bool], *needed: str) -> None:
        processes = [self.parts[name] for name in needed]
        wait_until_ready(what, ready, seconds=READY_SECONDS, processes=processes)

    def _node_is_ready(self) -> bool:
        try:
            node = json.loads(self.run_kubectl("get", "node", NODE_NAME, "-o", "json"))
        except LocalControlPlaneError:
            return False
        conditions = {entry["type"]: entry["status"] for entry in node["status"].get("conditions", [])}
        return conditions.get("Ready") == "True" and not node["spec"].get("taints")

    def _exists(self, what: str) -> bool:
        return bool(self.run_kubectl("get", what, "--ignore-not-found", "-o", "name").strip())

    def _running_commands(self) -> CommandLines:
        if self._commands is None:
            raise LocalControlPlaneError("the node is not running: call start() first")
        return self._commands


def could_not_clean_up(problems: list[str]) -> str:
    """The message for what a clean-up left."""
    listed = "\n  ".join(problems)
    return f"the node could not take back everything:\n  {listed}\n`python -m rendezvous_local node down` tries again"


def _end(process: ChildProcess, kill: bool) -> None:
    process.kill() if kill else process.stop()


def _free_ports() -> Ports:
    chosen: set[int] = set()
    while len(chosen) < len(Ports.__dataclass_fields__):
        chosen.add(free_port())
    return Ports(*chosen)
