"""Several operators that share a Lease, as the replicas of a Deployment do."""

from pathlib import Path
from typing import Any

from integration.handlers.eventually import eventually
from kube_rendezvous.cluster import ApiFailureError, Connection
from rendezvous_local.operator_process import OperatorProcess

LEASE_SECONDS = 4
LEASE_NAME = "replicas"
LIMIT = 60.0


class Replicas:
    """The operators of one namespace.

    Args:
        kubeconfig: the cluster.
        connection: with every right.
        namespace: which they watch, and where their lease is.
        logs: folder for their logs.
        lease_seconds: `--lease-seconds` of those that are made from now on.
    """

    def __init__(
        self, kubeconfig: Path, connection: Connection, namespace: str, logs: Path, lease_seconds: int = LEASE_SECONDS
    ) -> None:
        self._kubeconfig = kubeconfig
        self._connection = connection
        self._namespace = namespace
        self._logs = logs
        self.lease_seconds = lease_seconds
        self.all: list[OperatorProcess] = []

    def make(self, *arguments: str) -> OperatorProcess:
        """One more, not started yet."""
        name = f"replica-{len(self.all)}"
        scope = (f"--namespace={self._namespace}", f"--lease-namespace={self._namespace}")
        election = ("--leader-elect", f"--lease-name={LEASE_NAME}", f"--lease-seconds={self.lease_seconds}")
        made = OperatorProcess(
            self._kubeconfig,
            log=self.log_of(len(self.all)),
            arguments=[*scope, *election, *arguments],
            environment={"POD_NAME": name},
        )
        self.all.append(made)
        return made

    def start(self, *arguments: str) -> OperatorProcess:
        """One more, and ready."""
        made = self.make(*arguments)
        made.start()
        return made

    def pair(self) -> tuple[OperatorProcess, OperatorProcess]:
        """A leader that is at work and a standby."""
        first = self.start()
        until_leading(first)
        return first, self.start()

    def log_of(self, number: int) -> Path:
        """Where a replica writes."""
        return self._logs / f"replica-{number}.log"

    @property
    def lease(self) -> dict[str, Any]:
        """The spec of the Lease; empty if there is none."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases/{LEASE_NAME}"
        try:
            spec: dict[str, Any] = self._connection.request("GET", path)["spec"]
        except ApiFailureError as failure:
            if failure.status != 404:
                raise
            return {}
        return spec

    def stop_all(self) -> None:
        """End them all."""
        for one in self.all:
            one.resume()
            one.stop()


def leads(operator: OperatorProcess) -> bool:
    """Whether it says that it leads."""
    return "ready: leading" in operator.page("/readyz")


def until_leading(operator: OperatorProcess) -> None:
    """Wait until it leads and is ready to work."""
    eventually(lambda: leads(operator), "the operator leads and is ready", LIMIT)


def sample(operator: OperatorProcess, series: str) -> float:
    """The value of one series of its metrics, labels included; 0 if it is not there."""
    for line in operator.page("/metrics").splitlines():
        name, _, value = line.rpartition(" ")
        if name == series:
            return float(value)
    return 0.0
