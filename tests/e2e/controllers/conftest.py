"""The controllers of other projects beside the node, each in its pinned version, for the whole session."""

from collections.abc import Iterator

import pytest

from e2e.site import Site
from rendezvous_local.controllers.running import Controllers


@pytest.fixture(scope="session")
def controllers(site: Site) -> Iterator[Controllers]:
    """Those that a module names in CONTROLLERS are started with the first such module."""
    if site.node is None:
        pytest.skip("runs the controllers as processes beside the node of this machine: unset KUBECONFIG")
    controllers = Controllers(site.node)
    try:
        yield controllers
    finally:
        controllers.stop()


@pytest.fixture(scope="module", autouse=True)
def started(controllers: Controllers, request: pytest.FixtureRequest) -> None:
    """The controllers that the module's tests need."""
    controllers.start(request.module.CONTROLLERS)


@pytest.fixture(autouse=True)
def controllers_live(controllers: Controllers) -> Iterator[None]:
    """None of them ends under a test."""
    yield
    for process in controllers.processes:
        assert process.running, f"{process.name} has ended:\n{process.log_tail()}"
