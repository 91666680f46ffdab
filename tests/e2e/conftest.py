"""A cluster with the chart installed, for the whole session; what was measured is printed at its end."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from e2e.examples import Examples
from e2e.figures import Figures
from e2e.job_run import JobRun, running_job
from e2e.kubectl import Kubectl
from e2e.namespaces import Namespaces
from e2e.reader import Reader, reader_of
from e2e.release import Release
from e2e.running_example import RunningExample
from e2e.site import Site
from e2e.sites import site as the_site
from kube_rendezvous.cluster import Connection

REPORT = Path(__file__).parents[2] / "build" / "e2e.json"
FIGURES = pytest.StashKey[Figures]()
PREVIOUS = "0.0.1"

ORDER = (
    "test_quick_start",  # installs and uninstalls the release itself
    "test_upgrades",  # so does this one
    "test_fresh_user",  # and this one
    "test_first_step",
    "test_footprint",
    "test_trainer_token",
    "test_nobody_restarts",
    "test_examples",
    "test_isolation",
    "test_nodes_with_labels",
    "test_survivors_told",
    "test_survivors_keep_processes",
    "test_release",  # takes the operator away
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure before things are killed, and take the operator away last."""

    def place(item: pytest.Item) -> int:
        stem = item.path.stem
        return ORDER.index(stem) if stem in ORDER else 0

    items.sort(key=place)


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the figures."""
    config.stash[FIGURES] = Figures()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows the pods, the Rendezvous and the logs of the examples that run, or that it has ended."""
    report = yield
    if report.failed and call.when == "call":
        report.sections += RunningExample.last_words
        report.sections += [(f"{run.namespace}/{run.name}", run.explanation()) for run in RunningExample.under_way]
    RunningExample.last_words.clear()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table and write the file."""
    figures = config.stash[FIGURES]
    if figures.all:
        terminalreporter.section("what was measured")
        for line in figures.table():
            terminalreporter.write_line(line)
        figures.write(REPORT)
        terminalreporter.write_line(f"written to {REPORT}")


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where to put what was measured."""
    return pytestconfig.stash[FIGURES]


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The cluster of ``KUBECONFIG``, or a node on this machine that ends with the session."""
    with the_site() as site:
        yield site


@pytest.fixture(scope="session")
def kubectl(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """kubectl, as an administrator."""
    return Kubectl(site.kubectl, site.kubeconfig, tmp_path_factory.mktemp("kubectl-cache"))


@pytest.fixture(scope="session")
def connection(site: Site) -> Iterator[Connection]:
    """A connection, as an administrator."""
    connection = Connection.open(str(site.kubeconfig))
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def release(site: Site, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The chart, installed as an older version of it, so that there is something to upgrade from."""
    repository, _, tag = site.images.operator.rpartition(":")
    release = Release(site.helm, kubectl, [f"image.repository={repository}", f"image.tag={tag}"])
    kept = release.left_behind()
    try:
        release.install(release.package(PREVIOUS, tmp_path_factory.mktemp("chart")))
        yield release
    finally:
        release.take_away(kept)


@pytest.fixture(scope="session")
def namespaces(site: Site, kubectl: Kubectl) -> Iterator[Namespaces]:
    """Makes namespaces."""
    namespaces = Namespaces(kubectl, site.torch)
    yield namespaces
    namespaces.delete_all()


@pytest.fixture
def reader(
    site: Site, kubectl: Kubectl, namespaces: Namespaces, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """Somebody who reads a page and types what it says; whatever that leaves on the cluster goes."""
    release = Release(site.helm, kubectl, [])
    before = release.left_behind()
    yield reader_of(site, namespaces.make("reader"), tmp_path_factory.mktemp("reader"))
    release.take_away(before)
    for name in release.left_behind():
        if name not in before:
            kubectl("wait", name, "--for=delete", "--timeout=120s", seconds=130)


@pytest.fixture(scope="session")
def examples(
    site: Site,
    kubectl: Kubectl,
    connection: Connection,
    namespaces: Namespaces,
    release: Release,
    tmp_path_factory: pytest.TempPathFactory,
) -> Examples:
    """Starts examples."""
    return Examples(site, kubectl, connection, namespaces, tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="session")
def job_run(examples: Examples) -> Iterator[JobRun]:
    """The torchrun Job of four pods, which trains until the session ends."""
    with running_job(examples) as run:
        yield run
