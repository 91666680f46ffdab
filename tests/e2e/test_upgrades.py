"""From an older release to this one and back, under runs that go on: no round restarts, nothing is lost.

And clients of either release work with the operator of the other. It installs both itself, so that it comes before the
tests that share an installation.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e.eventually import eventually
from e2e.example_overlay import Patch
from e2e.example_overlay import replace as replace_in
from e2e.examples import Examples
from e2e.former_release import FormerRelease, former_release
from e2e.job_run import NODES, running_job
from e2e.kubectl import Kubectl
from e2e.namespaces import Namespaces
from e2e.release import Release
from e2e.running_example import RunningExample
from e2e.site import Images, Site
from e2e.sites import OneMachine
from e2e.test_nobody_restarts import nobody_restarts
from kube_rendezvous.cluster import Connection

LIMIT = 240.0
SIDECARS = 3
FOR_EVER = Patch("Job", (replace_in("/spec/template/spec/containers/0/command/2", "1000000"),))
FORMER_VERSION, PRESENT_VERSION = "0.0.1", "99.0.0"

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def former(site: Site, tmp_path_factory: pytest.TempPathFactory) -> FormerRelease:
    """The older release, with its images on the node."""
    machine = site.machine
    if not isinstance(machine, OneMachine):
        pytest.skip("builds images of an older commit for the node on this machine: unset KUBECONFIG")
    return former_release(machine.node, tmp_path_factory.mktemp("former"))


class Upgrades:
    """One installation that changes between the two releases."""

    def __init__(self, site: Site, kubectl: Kubectl, former: FormerRelease, folder: Path) -> None:
        self._former = Release(site.helm, kubectl, _images(former.images))
        self._present = Release(site.helm, kubectl, _images(site.images))
        self._folder = folder
        self._former_chart = former.chart
        self.kept = self._former.left_behind()

    def install_former(self) -> None:
        """As users have it."""
        self._former.install(self._package(self._former_chart, FORMER_VERSION))

    def upgrade(self) -> None:
        """To this release; until one of its pods leads."""
        self._change(self._present, self._present.package(PRESENT_VERSION, self._folder))

    def go_back(self) -> None:
        """To the older one; until one of its pods leads."""
        self._change(self._former, self._package(self._former_chart, FORMER_VERSION))

    def take_away(self) -> None:
        """The release and what it left."""
        kubectl = self._former.kubectl
        self._former.take_away(self.kept)
        for name in self._former.left_behind():
            if name not in self.kept:
                kubectl("wait", name, "--for=delete", "--timeout=120s", seconds=130)

    def _change(self, release: Release, chart: Path) -> None:
        old = release.wait_for_leader(LIMIT)
        release.upgrade(chart)
        release.wait_until_ready(LIMIT)
        release.wait_for_leader(LIMIT, other_than=old)
        # A pod of before may still be on its way out when the new one leads.
        eventually(lambda: self._images_of(release) == {release.image}, "only pods of the new image are left", LIMIT)

    @staticmethod
    def _images_of(release: Release) -> set[str]:
        images = release.kubectl(
            *("-n", release.namespace, "get", "pods", "-l", release.selector()),
            *("-o", "jsonpath={.items[*].spec.containers[*].image}"),
        )
        return set(images.split())

    def _package(self, chart: Path, version: str) -> Path:
        self._former.helm("package", str(chart), f"--version={version}", f"--destination={self._folder}")
        return self._folder / f"{chart.name}-{version}.tgz"


def _images(images: Images) -> list[str]:
    repository, _, tag = images.operator.rpartition(":")
    return [f"image.repository={repository}", f"image.tag={tag}"]


@pytest.fixture
def upgrades(
    site: Site, kubectl: Kubectl, former: FormerRelease, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgrades]:
    """The older release, installed."""
    upgrades = Upgrades(site, kubectl, former, tmp_path_factory.mktemp("charts"))
    try:
        upgrades.install_former()
        yield upgrades
    finally:
        upgrades.take_away()


@pytest.fixture
def clients(site: Site, kubectl: Kubectl, connection: Connection, namespaces: Namespaces, tmp_path: Path) -> Any:
    """``clients(images)`` starts examples with these images."""

    def of(images: Images) -> Examples:
        folder = tmp_path / images.client.rpartition(":")[2]
        folder.mkdir()
        return Examples(replace(site, images=images), kubectl, connection, namespaces, folder)

    return of


def lose_one(run: RunningExample, nodes: int) -> None:
    """Delete the pod of the highest rank; the others meet its replacement in the next round."""
    before = run.rendezvous.status
    run.kubectl("-n", run.namespace, "delete", "pod", run.ranked[-1].pod_name, "--wait=false")
    run.wait_for_round(nodes, LIMIT, after=before.round)


def kept(run: RunningExample) -> dict[str, Any]:
    """What an upgrade must not lose: the user's wish, the round, who has which rank, and the rounds before."""
    found = run.kubectl.json("-n", run.namespace, "get", "rdzv", run.name)
    status = found["status"]
    return {"spec": found["spec"], **{name: status.get(name) for name in ("round", "ranks", "worldSize", "history")}}


def test_a_job_of_four_goes_through_an_upgrade_and_back_and_clients_work_with_either_operator(
    site: Site, former: FormerRelease, upgrades: Upgrades, clients: Any
) -> None:
    with (
        running_job(clients(former.images)) as job,
        clients(site.images).start("sidecar", [FOR_EVER], torch=False) as new_clients,
    ):
        new_clients.wait_for_round(SIDECARS, LIMIT)
        new_clients.wait_for_first_steps(SIDECARS, LIMIT)
        lose_one(new_clients, SIDECARS)  # new clients, former operator
        job.stands()

        wish = kept(job.run)
        with nobody_restarts(job.run):
            upgrades.upgrade()
        assert kept(job.run) == wish
        lose_one(job.run, NODES)  # former clients, this operator
        job.run.wait_for_first_steps(NODES, LIMIT)

        wish = kept(job.run)
        with nobody_restarts(job.run):
            upgrades.go_back()
        assert kept(job.run) == wish
        lose_one(job.run, NODES)
        lose_one(new_clients, SIDECARS)
