"""The handler that torch's registry makes for the backend `kubernetes`, used as torch's agents use it."""

import gc
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from torch.distributed.elastic.events import handlers as event_handlers
from torch.distributed.elastic.rendezvous import (
    RendezvousClosedError,
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousStoreInfo,
)
from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler

from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from rendezvous_local.cluster import Cluster

JOIN_SECONDS = 30.0
LIMIT_SECONDS = 60.0

Handlers = Callable[..., RendezvousHandler]
Joins = Callable[[RendezvousHandler], "Future[RendezvousInfo]"]


@pytest.fixture
def handlers(cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handlers]:
    """``handlers(min_nodes, max_nodes, slot=…)``: a handler, shut down at the end of the test."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    made: list[RendezvousHandler] = []

    def make(nodes: int = 1, max_nodes: int | None = None, kept: bool = True, **config: Any) -> RendezvousHandler:
        conf = {"join_timeout": str(int(JOIN_SECONDS)), "last_call_timeout": "0", **config}
        parameters = RendezvousParameters("kubernetes", run.namespace, run.name, nodes, max_nodes or nodes, **conf)
        handler = get_rendezvous_handler(parameters)
        if kept:
            made.append(handler)
        return handler

    yield make
    for handler in made:
        handler.shutdown()


@pytest.fixture
def join() -> Iterator[Joins]:
    """``join(handler)``: its next round, waited for in a thread of its own."""
    with ThreadPoolExecutor(8) as pool:
        yield lambda handler: pool.submit(handler.next_rendezvous)


class EventKeeper(logging.Handler):
    """Keeps what torch's event log is told."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(json.loads(record.getMessage()))


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The rendezvous events that torch's event log got."""
    keeper = EventKeeper()
    monkeypatch.setitem(event_handlers._log_handlers, "dynamic_rendezvous", keeper)
    logger = logging.getLogger("torchelastic-events-dynamic_rendezvous")
    logger.setLevel(logging.INFO)
    logger.addHandler(keeper)
    yield keeper.kept
    logger.removeHandler(keeper)


def meet(join: Joins, *members: RendezvousHandler) -> list[RendezvousInfo]:
    """What each of these is told of the round in which they meet."""
    return [waiting.result(LIMIT_SECONDS) for waiting in [join(member) for member in members]]


def client_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("rendezvous-")}


def listens(store: RendezvousStoreInfo | None) -> bool:
    """Whether somebody serves at the address of a round's store."""
    assert store is not None
    try:
        with socket.create_connection((store.master_addr, store.master_port), 5.0):
            return True
    except ConnectionRefusedError:
        return False


def test_it_says_which_backend_and_which_run_it_is_of(handlers: Handlers, run: Run) -> None:
    handler = handlers()
    assert (handler.get_backend(), handler.get_run_id()) == ("kubernetes", run.name)


def test_rounds_and_errors_go_to_torchs_event_log(handlers: Handlers, run: Run, events: list[dict[str, Any]]) -> None:
    handler = handlers()
    handler.next_rendezvous()
    handler.set_closed()
    with pytest.raises(RendezvousClosedError):
        handler.next_rendezvous()
    assert {event["run_id"] for event in events} == {run.name}
    assert [(event["node_state"], event["rank"]) for event in events] == [
        ("RUNNING", None),
        ("RUNNING", 0),
        ("RUNNING", None),
        ("FAILED", None),
    ]
    assert events[1]["message"] == f"This node has joined the rendezvous '{run.name}' as rank 0 in a world of size 1."
    assert events[3]["message"].startswith("RendezvousClosedError: Rendezvous ")


def test_joining_again_gives_rounds_one_two_three(handlers: Handlers, run: Run) -> None:
    handler = handlers()
    for number in (1, 2, 3):
        info = handler.next_rendezvous()
        assert (info.rank, info.world_size, run.status.round) == (0, 1, number)


def test_all_nodes_meet_at_one_store_and_each_round_has_its_own_keys(handlers: Handlers, join: Joins) -> None:
    both = handlers(2), handlers(2)
    for _ in range(2):
        infos = meet(join, *both)
        assert sorted(info.rank for info in infos) == [0, 1]
        assert {info.world_size for info in infos} == {2}
        assert infos[0].bootstrap_store_info == infos[1].bootstrap_store_info
        assert not infos[1].store.check(["key"]), "nothing of the round before"
        infos[0].store.set("key", "value")
        assert infos[1].store.get("key") == b"value"


def test_one_too_many_stands_by_and_takes_the_place_of_one_that_leaves(
    handlers: Handlers, join: Joins, run: Run
) -> None:
    stays, leaves = handlers(2), handlers(2, kept=False)
    meet(join, stays, leaves)
    spare = join(handlers(2))
    run.until(lambda status: status.standby == 1, "the third stands by")
    assert stays.num_nodes_waiting() == 0, "a spare disturbs nobody"
    del leaves
    gc.collect()
    eventually(lambda: stays.num_nodes_waiting() > 0, "the survivor is told")
    again = join(stays)
    assert {spare.result(LIMIT_SECONDS).rank, again.result(LIMIT_SECONDS).rank} == {0, 1}


@pytest.mark.parametrize(("variable", "shared"), [(None, True), ("0", True), ("1", False)])
def test_the_store_is_shared_with_the_workers_unless_it_is_turned_off(
    handlers: Handlers, join: Joins, monkeypatch: pytest.MonkeyPatch, variable: str | None, shared: bool
) -> None:
    if variable is None:
        monkeypatch.delenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", raising=False)
    else:
        monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", variable)
    both = handlers(2), handlers(2)
    assert [handler.use_agent_store for handler in both] == [shared, shared]
    infos = meet(join, *both)
    assert infos[0].bootstrap_store_info == infos[1].bootstrap_store_info
    # A port of the workers' own is free for rank 0's worker; the store's is taken.
    assert listens(infos[0].bootstrap_store_info) == shared


def test_the_local_address_is_told_to_all(handlers: Handlers, join: Joins) -> None:
    infos = meet(join, handlers(2, address="127.0.0.2"), handlers(2, address="127.0.0.2"))
    for info in infos:
        assert info.bootstrap_store_info is not None
        assert info.bootstrap_store_info.master_addr == "127.0.0.2"


def test_closing_twice_is_closing_once(handlers: Handlers) -> None:
    handler = handlers()
    assert not handler.is_closed()
    handler.next_rendezvous()
    handler.set_closed()
    handler.set_closed()
    assert handler.is_closed()
    with pytest.raises(RendezvousClosedError):
        handler.next_rendezvous()


def test_who_waits_is_told_that_another_has_closed_it(handlers: Handlers, join: Joins, run: Run) -> None:
    waits, closes = handlers(3), handlers(3)
    waiting = join(waits)
    run.until_members(1)
    closes.set_closed()
    with pytest.raises(RendezvousClosedError):
        waiting.result(LIMIT_SECONDS)
    assert waits.is_closed()


def test_nothing_runs_after_shutdown_and_a_second_shutdown_is_well(handlers: Handlers, run: Run) -> None:
    handler = handlers()
    before = client_threads()
    info = handler.next_rendezvous()
    assert handler.shutdown()
    assert handler.shutdown()
    assert handler.is_closed()
    eventually(lambda: not run.members(), "its Member is gone")
    eventually(lambda: client_threads() <= before, "its threads have ended")
    assert listens(info.bootstrap_store_info), (
        "the store lives as long as somebody holds it: the agent does at its exit barrier"
    )
    del info
    gc.collect()


def test_shutdown_of_one_that_never_joined_makes_and_closes_nothing(handlers: Handlers, run: Run) -> None:
    assert handlers().shutdown()
    assert run.get() is None


def test_nothing_of_a_handler_is_left_when_it_is_dropped(handlers: Handlers, join: Joins, run: Run) -> None:
    """As torch's own: a test, or a program that failed, need not have called `shutdown`."""
    before = client_threads()
    both = [handlers(2, kept=False), handlers(2, kept=False)]
    infos = meet(join, *both)
    assert len(client_threads() - before) == 4, "a watch and a heartbeat each"
    serves = infos[0].rank
    stays = both.pop(1 - serves)
    store = infos[0].bootstrap_store_info
    assert listens(store)
    both.clear()
    infos.clear()
    gc.collect()
    eventually(lambda: len(run.members()) == 1, "the Member of rank 0 is gone")
    eventually(lambda: len(client_threads() - before) == 2, "its threads have ended")
    eventually(lambda: not listens(store), "its store is served no longer")
    eventually(lambda: stays.num_nodes_waiting() > 0, "the other is told")
    assert run.status.closed is None, "nobody said that it is over"
    stays.shutdown()
