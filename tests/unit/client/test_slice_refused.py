"""A member that may not read its slice asks for a round without, or, where that is too large, ends with a sentence."""

import time
from collections.abc import Iterator

import pytest

from kube_rendezvous.cluster import ApiRefusedError
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.membership.session import Session
from kube_rendezvous.resources import MOST_NAMED_IN_STATUS, BootstrapStore, RendezvousStatus, SlicedAssignment
from unit.client.test_joining_first import LATER, LIMIT_SECONDS, ApiServer
from unit.shell.objects import raw_rendezvous

FORBIDDEN = ApiRefusedError(
    "GET /apis/rendezvous.dev/v1alpha1/namespaces/ns/rendezvousslices/run-digest",
    403,
    "Forbidden",
    "cannot get resource rendezvousslices",
)


class Large:
    """A round of so many, whose slices we may not read; and who is in it."""

    def __init__(self, world_size: int) -> None:
        sliced = SlicedAssignment(world_size, ("digest",), "history")
        status = RendezvousStatus(round=1, sliced=sliced, bootstrap_store=BootstrapStore("a", "a.example", 29500))
        self.server = ApiServer(raw_rendezvous(1, status, maxNodes=10_000, heartbeatSeconds=300), LATER)
        self.server.answers = {("GET", "/rendezvousslices"): [FORBIDDEN], **self.server.answers}
        identity = Identity("node", "", "", "", "", "127.0.0.1")
        self.session = Session(self.server, "ns", "run", identity)  # type: ignore[arg-type]
        deadline = time.monotonic() + LIMIT_SECONDS
        self.session.start_by_joining(lambda: 29500, deadline, max_nodes=2)
        self.session.wait_for_list(deadline)

    def read(self) -> None:
        self.session.read_slice("digest", time.monotonic() + LIMIT_SECONDS)


@pytest.fixture
def small() -> Iterator[Large]:
    small = Large(MOST_NAMED_IN_STATUS)
    yield small
    small.session.stop()


@pytest.fixture
def large() -> Iterator[Large]:
    large = Large(MOST_NAMED_IN_STATUS + 1)
    yield large
    large.session.stop()


def test_in_a_round_that_the_status_can_name_it_says_that_it_reads_none(small: Large) -> None:
    small.read()
    assert {"readsSlices": False}.items() <= small.server.until_written().items()


def test_in_a_larger_one_it_says_what_it_lacks_and_does_not_wait_for_ever(large: Large) -> None:
    with pytest.raises(ApiRefusedError, match="rendezvousslices"):
        large.read()
    assert large.server.written == []
