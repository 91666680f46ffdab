"""The two modules that hold the rendezvous interface, for the tests that must pass on both; signals that interrupt."""

import importlib
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from unit.raising_signals import interrupting

TORCH_API = "torch.distributed.elastic.rendezvous.api"


@pytest.fixture(scope="module", params=["kube_rendezvous.api", TORCH_API])
def api(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == TORCH_API:
        pytest.importorskip("torch", reason="torch's own interface can be compared only where torch is installed")
    return importlib.import_module(request.param)


@pytest.fixture
def interrupted() -> Iterator[Callable[[Callable[[], object]], bool]]:
    """See `interrupting`."""
    with interrupting() as call:
        yield call
