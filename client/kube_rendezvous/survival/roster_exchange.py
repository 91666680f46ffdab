"""The workers of a round tell each other who they are, through the round's own store; nothing goes to the API server.

Each worker writes its entry; the one that serves the store gathers them and writes the roster; all others wait for that
one key. A wait asks the store in growing pauses, the longer the larger the round, so that all workers together ask it
some thousand times a second at the most, and none of them waits for a round that is already being replaced.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from kube_rendezvous.store_protocol import Store
from kube_rendezvous.survival.errors import RoundOverError
from kube_rendezvous.survival.roster import Entry, Roster
from kube_rendezvous.survival.worker_place import WorkerPlace

GivenUp = Callable[[], bool]
"""True when the round is not worth waiting for any more; asked while waiting."""

_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.02
_QUESTIONS_A_SECOND = 2000.0
NEWS_SECONDS = 5.0
"""For which news that another worker has heard may be on their way, and a store may be silent at the very end."""

_FAREWELL_SECONDS = 60.0
"""For which the store stays for workers that are slow, or frozen, at the very end: one that misses the answer fails."""

_ROSTER, _DONE, _VERDICT, _SEEN = "roster", "done", "all-done", "all-done-seen"
_YES, _NO = "yes", "no"


def exchange_rosters(store: Store, place: WorkerPlace, entry: Entry, given_up: GivenUp) -> Roster:
    """Say who this worker is and learn who all the others are.

    Args:
        store: of the round, its keys private to it.
        place: of this worker.
        entry: its own.
        given_up: see `GivenUp`.

    Raises:
        RoundOverError: `given_up` became true first.
        RuntimeError: torch's own errors of a store that cannot be reached.
    """
    store.set(_node(place.node_rank), str(place.local_world_size))
    store.set(_worker(place.node_rank, place.local_rank), entry.to_bytes())
    if place.serves_store:
        nodes = [_node(rank) for rank in range(place.node_count)]
        await_keys(store, nodes, given_up, 1)
        sizes = [int(size) for size in store.multi_get(nodes)]
        workers = [_worker(node, local) for node, size in enumerate(sizes) for local in range(size)]
        await_keys(store, workers, given_up, 1)
        store.set(_ROSTER, Roster.of([Entry.from_bytes(one) for one in store.multi_get(workers)]).to_bytes())
    await_keys(store, [_ROSTER], given_up, place.node_count * place.local_world_size)
    return Roster.from_bytes(store.get(_ROSTER))


def agree_done(store: Store, roster: Roster, serves_store: bool, given_up: GivenUp) -> bool:
    """Agree that the work is done: true for all workers of the round, or for none.

    A worker that is done early must not be gone when another one needs it for a step that a loss has undone. The first
    word in the store holds: "yes" of the worker that is done last, or "no" of one that hears of the round's end before.

    Args:
        store: of the round. It needs patience also when the round is over: who misses the answer asks for a round
            that nobody else comes to.
        roster: of it.
        serves_store: whether this worker does.
        given_up: see `GivenUp`.

    Returns:
        Whether all are done; False: the round is over first, and there is another one to take.
    """
    if store.add(_DONE, 1) == roster.world_size:
        store.compare_set(_VERDICT, "", _YES)
    try:
        await_keys(store, [_VERDICT], given_up, roster.world_size)
    except RoundOverError:
        store.compare_set(_VERDICT, "", _NO)
    pauses = _pauses(1)
    if store.get(_VERDICT).decode() != _YES:
        # Who has not heard it itself asks for no round of its own: it is about to hear it.
        deadline = time.monotonic() + NEWS_SECONDS
        while not given_up() and time.monotonic() < deadline:
            time.sleep(next(pauses))
        return False
    with contextlib.suppress(RoundOverError, RuntimeError):  # whatever becomes of the store: that was the answer
        seen = store.add(_SEEN, 1)
        if serves_store:
            _outlast(store, seen, roster.world_size, given_up)
    return True


def _outlast(store: Store, seen: int, world_size: int, given_up: GivenUp) -> None:
    """The store ends with its worker: all others must have seen the answer first, or be gone."""
    deadline = time.monotonic() + _FAREWELL_SECONDS
    pauses = _pauses(1)
    while seen < world_size and time.monotonic() < deadline:
        if given_up():  # somebody is gone; those who are not look every few milliseconds
            deadline = min(deadline, time.monotonic() + NEWS_SECONDS)
        time.sleep(next(pauses))
        seen = store.add(_SEEN, 0)


def await_keys(store: Store, keys: Sequence[str], given_up: GivenUp, askers: int) -> None:
    """Wait until all keys are there.

    Args:
        askers: how many wait for them, so that the store is not asked too often.

    Raises:
        RoundOverError: `given_up` became true first.
    """
    pauses = _pauses(askers)
    while not store.check(keys):
        if given_up():
            raise RoundOverError(f"the round is over before {keys[0]!r} was there")
        time.sleep(next(pauses))


def _pauses(askers: int) -> Iterator[float]:
    longest = max(_LONGEST_PAUSE, askers / _QUESTIONS_A_SECOND)
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(longest, pause * 1.5)


def _node(node_rank: int) -> str:
    return f"node/{node_rank}"


def _worker(node_rank: int, local_rank: int) -> str:
    return f"worker/{node_rank}/{local_rank}"
