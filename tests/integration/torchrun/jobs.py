"""Where the jobs of a test run, and how it makes them."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.recorder import Recorder
from integration.torchrun.job import WAITING, Job
from kube_rendezvous.cluster import Connection


@dataclass(frozen=True)
class Site:
    """Where a job runs: a cluster with an operator, and a namespace there.

    Attributes:
        kubeconfig: Leads to the cluster.
        operator_log: What the operator says.
    """

    kubeconfig: Path
    namespace: str
    operator_log: Path


class Jobs:
    """Makes the jobs of one test: call it with the spec of the Rendezvous.

    Attributes:
        made: Those that it made.
    """

    def __init__(self, site: Site, folder: Path, ending: ExitStack) -> None:
        self.made: list[Job] = []
        self.site = site
        self._folder = folder
        self._ending = ending
        self._connection = Connection.open(str(site.kubeconfig))
        ending.callback(self._connection.close)
        self._recorder = ending.enter_context(Recorder(self._connection, site.namespace))

    def __call__(self, worker: Path = WAITING, **spec: Any) -> Job:
        site = self.site
        job = Job(site.kubeconfig, self._connection, site.namespace, self._recorder, self._folder, worker, spec)
        self._ending.callback(job.stop)
        self.made.append(job)
        return job
