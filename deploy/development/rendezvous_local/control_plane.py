"""etcd and kube-apiserver, for one user, with their data in a temporary folder."""

import csv
import json
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rendezvous_local.binaries import Binaries, find_or_build_all
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.owned_folder import OwnedFolder
from rendezvous_local.ports import free_port
from rendezvous_local.processes import ChildProcess
from rendezvous_local.readiness import answers_ok, wait_until_ready

ETCD_READY_SECONDS = 30.0
API_SERVER_READY_SECONDS = 60.0
START_ATTEMPTS = 3
PORT_TAKEN = "address already in use"


class ControlPlane:
    """A Kubernetes API with an administrator's kubeconfig, for use in a ``with`` statement.

    Args:
        binaries: The programs to run; found or built at the start when ``None``.
        api_server_flags: More flags for kube-apiserver, such as ``--feature-gates=…``.
    """

    def __init__(self, binaries: Binaries | None = None, *, api_server_flags: Sequence[str] = ()) -> None:
        self._binaries = binaries
        self._api_server_flags = list(api_server_flags)
        self._folder: OwnedFolder | None = None
        self._etcd: ChildProcess | None = None
        self._api_server: ChildProcess | None = None
        self._etcd_url = ""
        self._token = ""
        self.url = ""
        self.start_seconds = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """Data, logs (``etcd.log``, ``kube-apiserver.log``) and kubeconfig; removed by ``stop()``."""
        if self._folder is None:
            raise LocalControlPlaneError("the local control plane is not running: call start() first")
        return self._folder.path

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of an administrator, readable only by this user."""
        return self.folder / "kubeconfig"

    @property
    def kubectl(self) -> Path:
        """A kubectl of the same version."""
        return self._programs().kubectl

    @property
    def api_server_process(self) -> int:
        """Number of kube-apiserver's process."""
        number = self._running(self._api_server).pid
        if number is None:
            raise LocalControlPlaneError("kube-apiserver was not started")
        return number

    def start(self) -> None:
        """Starts an empty cluster and waits until it is ready.

        Raises:
            LocalControlPlaneError: It runs already, a program is missing, or one ended or was not ready in time.
        """
        if self._folder is not None:
            raise LocalControlPlaneError(f"the local control plane runs already, at {self.url}")
        self._programs()
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._start_once()
                return
            except LocalControlPlaneError as error:
                self.stop()
                if attempt == START_ATTEMPTS or PORT_TAKEN not in str(error):  # somebody took a port since we looked
                    raise
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Ends both programs and removes everything; does nothing when it is stopped."""
        try:
            for process in (self._api_server, self._etcd):
                if process is not None:
                    process.stop()
        finally:
            self._api_server = self._etcd = None
            if self._folder is not None:
                self._folder.remove()
                self._folder = None

    def stop_api_server(self, *, kill: bool = False) -> None:
        """Takes the API server away, with SIGKILL if ``kill``; address and data stay for ``start_api_server()``."""
        process = self._running(self._api_server)
        process.kill() if kill else process.stop()

    def start_api_server(self) -> None:
        """Brings the API server back on its old address and waits until it is ready."""
        self._running(self._api_server).start()
        self.wait_until_ready()

    def pause_api_server(self) -> None:
        """Freezes the API server: connections stay open and nothing is answered."""
        self._running(self._api_server).pause()

    def resume_api_server(self) -> None:
        """Lets a frozen API server go on, and waits until it is ready."""
        self._running(self._api_server).resume()
        self.wait_until_ready()

    def stop_etcd(self, *, kill: bool = False) -> None:
        """Takes etcd away, with SIGKILL if ``kill``: the API server answers most requests with errors."""
        process = self._running(self._etcd)
        process.kill() if kill else process.stop()

    def start_etcd(self) -> None:
        """Brings etcd back with its data, and waits until the API server is ready if that runs."""
        self._running(self._etcd).start()
        self._wait_for_etcd()
        if self._running(self._api_server).running:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Waits until ``/readyz`` says ok.

        Raises:
            LocalControlPlaneError: A program ended, or it took more than 60 s; with the end of the logs.
        """
        self._wait_for("the API server", "/readyz")

    @property
    def processes(self) -> list[ChildProcess]:
        """etcd and kube-apiserver, as far as they were started."""
        return [process for process in (self._etcd, self._api_server) if process is not None]

    @property
    def _certificate(self) -> Path:
        # The API server makes it at its first start: its own certificate and that of the authority that signed it.
        return self.folder / "certificates" / "apiserver.crt"

    def _programs(self) -> Binaries:
        if self._binaries is None:
            self._binaries = find_or_build_all()
        return self._binaries

    def _start_once(self) -> None:
        began = time.monotonic()
        self._folder = OwnedFolder()
        self._token = secrets.token_urlsafe(32)
        self._etcd_url = f"http://127.0.0.1:{free_port()}"
        self._etcd = ChildProcess("etcd", self._etcd_command(), log=self.folder / "etcd.log")
        self._etcd.start()
        self._wait_for_etcd()
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        with _private_file(self.folder / "tokens.csv") as file:
            csv.writer(file).writerow([self._token, "admin", "admin", "system:masters"])
        self._api_server = ChildProcess(
            "kube-apiserver", self._api_server_command(port), log=self.folder / "kube-apiserver.log"
        )
        self._api_server.start()
        self.wait_until_ready()
        self._wait_for("the namespace default", "/api/v1/namespaces/default")  # made a moment after the server is ready
        self._write_kubeconfig()
        self.start_seconds = time.monotonic() - began

    def _wait_for(self, what: str, path: str) -> None:
        wait_until_ready(
            f"{what} at {self.url}",
            lambda: answers_ok(f"{self.url}{path}", certificate=self._certificate, token=self._token),
            seconds=API_SERVER_READY_SECONDS,
            processes=self.processes,
        )

    def _wait_for_etcd(self) -> None:
        etcd = self._running(self._etcd)
        url = f"{self._etcd_url}/health"
        wait_until_ready(f"etcd at {url}", lambda: answers_ok(url), seconds=ETCD_READY_SECONDS, processes=[etcd])

    def _etcd_command(self) -> list[str]:
        return [
            str(self._programs().etcd),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            "--listen-peer-urls=http://127.0.0.1:0",  # it has no peers: any free port will do
            "--unsafe-no-fsync",  # the data lives no longer than we do
            "--log-level=warn",
        ]

    def _api_server_command(self, port: int) -> list[str]:
        # The API server signs service account tokens with the key that it makes for its own certificate: one key
        # less to generate, and nobody else is to trust either of them.
        key = self._certificate.with_suffix(".key")
        return [
            str(self._programs().kube_apiserver),
            f"--etcd-servers={self._etcd_url}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",  # or it looks for another network interface, and there may be none
            "--endpoint-reconciler-type=none",  # a loopback address may not be an endpoint of the Service "kubernetes"
            f"--cert-dir={key.parent}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--allow-privileged",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",  # nobody makes the default accounts that it asks for
            f"--service-account-issuer={self.url}/",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            *self._api_server_flags,
        ]

    def _write_kubeconfig(self) -> None:
        name = "kube-rendezvous-local"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [
                {"name": name, "cluster": {"server": self.url, "certificate-authority": str(self._certificate)}}
            ],
            "users": [{"name": name, "user": {"token": self._token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
        }
        with _private_file(self.kubeconfig) as file:
            json.dump(content, file, indent=2)  # JSON is YAML

    @staticmethod
    def _running(process: ChildProcess | None) -> ChildProcess:
        if process is None:
            raise LocalControlPlaneError("the local control plane is not running: call start() first")
        return process


def _private_file(path: Path) -> TextIO:
    """Opens a new file that only this user can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
