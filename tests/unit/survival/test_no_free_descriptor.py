"""Who looks at this process's threads and sockets while it has no free descriptor sees none, and goes on."""

import os
import resource
from collections.abc import Callable, Collection, Iterator

import pytest

from kube_rendezvous.survival.gloo_connections import GlooConnections
from kube_rendezvous.survival.gloo_waiters import threads_that_wait
from kube_rendezvous.survival.own_connections import own_sockets


@pytest.fixture
def no_free_descriptor() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("look", [threads_that_wait, lambda: list(own_sockets())])
def test_nothing_is_seen(no_free_descriptor: None, look: Callable[[], Collection[object]]) -> None:
    assert not look()


def test_nothing_is_cut(no_free_descriptor: None) -> None:
    connections = GlooConnections()
    assert (connections.end_reading(), connections.end()) == (0, 0)
