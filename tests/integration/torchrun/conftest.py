"""Jobs of stock torchrun agents on a real API server."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration.torchrun.jobs import Jobs, Site
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess


@pytest.fixture(scope="module")
def operator(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An operator for the session's cluster, gone before the next module's tests; the file with its log."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    with OperatorProcess(cluster.kubeconfig, log=log):
        yield log


@pytest.fixture
def site(cluster: Cluster, namespace: str, operator: Path) -> Site:
    """The session's cluster, with a namespace of the test's own."""
    return Site(cluster.kubeconfig, namespace, operator)


@pytest.fixture
def jobs(site: Site, tmp_path: Path) -> Iterator[Jobs]:
    """Makes jobs that end with the test, and checks what holds in every run."""
    with ExitStack() as ending:
        yield Jobs(site, tmp_path, ending)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows what the agents, the objects and the operator say about a failure."""
    report = yield
    jobs = item.funcargs.get("jobs") if isinstance(item, pytest.Function) else None
    if report.failed and call.when == "call" and isinstance(jobs, Jobs):
        report.sections.extend(("agents and objects", job.describe()) for job in jobs.made)
        tail = jobs.site.operator_log.read_text(errors="replace").splitlines()[-40:]
        report.sections.append(("operator", "\n".join(tail)))
    return report
