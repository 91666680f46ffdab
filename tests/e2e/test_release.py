"""The chart's life: installed, tested, upgraded, and taken away, with a run that goes on through all of it.

This file comes last: the operator is gone after it.
"""

from pathlib import Path

from e2e.figures import Figures
from e2e.job_run import JobRun
from e2e.release import CRDS, NAME, Release
from e2e.test_nobody_restarts import nobody_restarts

MOST_INSTALL_SECONDS = 30.0
LIMIT = 120.0


def test_helm_install_takes_30_seconds_at_most(release: Release, figures: Figures) -> None:
    what = "helm install until every operator pod is ready"
    figures.hold(what, release.ready_seconds, "s", MOST_INSTALL_SECONDS)


def test_helm_test_passes(release: Release) -> None:
    assert "Succeeded" in release.helm("test", NAME)


def test_an_upgrade_disturbs_nobody(job_run: JobRun, release: Release, tmp_path: Path) -> None:
    job_run.stands()
    with nobody_restarts(job_run.run):
        release.upgrade(release.package("99.0.0", tmp_path))
        release.wait_until_ready(LIMIT)
        release.wait_for_leader(LIMIT)
    assert "99.0.0" in release.helm("list", "-o", "json")


def test_uninstalling_keeps_the_resources_and_disturbs_nobody(job_run: JobRun, release: Release) -> None:
    job_run.stands()
    with nobody_restarts(job_run.run):
        release.uninstall()
    for crd in CRDS:
        release.kubectl("get", "crd", crd)
    assert job_run.run.name in release.kubectl("get", "rdzv", "-A", "-o", "name")
