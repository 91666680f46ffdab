"""The sidecar takes part: it joins again when the trainer has stopped, if it is to wait for that."""

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.sidecar.board import Board
from kube_rendezvous.sidecar.publication import Publication, SidecarState
from kube_rendezvous.sidecar.shared_files import SharedFiles
from kube_rendezvous.sidecar.taking_part import TakingPart
from kube_rendezvous.standing_round import StandingRound

SECONDS = 10.0
WAITS = 3


class Rounds:
    """Stands for a participation: the test says which round is next, and when it is over."""

    def __init__(self) -> None:
        self.asked = 0
        self._next: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._over: queue.SimpleQueue[Interruption | None] = queue.SimpleQueue()

    def forms(self, number: int | None) -> None:
        self._next.put(number)

    def is_over(self, number: int) -> None:
        self._over.put(Interruption(number, "Recreated", "the Rendezvous was deleted and created anew"))

    def next_round(self) -> StandingRound:
        self.asked += 1
        number = self._next.get()
        if number is None:
            raise RuntimeError("the test is over")
        return StandingRound("ns", "run", number, 0, 1, "127.0.0.1", 29500)

    def release_port(self) -> None:
        """There is none."""

    def wait_for_interruption(self) -> Interruption | None:
        return self._over.get()


@pytest.fixture
def rounds() -> Iterator[Rounds]:
    rounds = Rounds()
    yield rounds
    rounds.forms(None)


@pytest.mark.parametrize("by", ["file", "post"])
def test_a_round_of_a_rendezvous_that_was_created_anew_is_not_taken_for_stopped(
    rounds: Rounds, tmp_path: Path, by: str
) -> None:
    files, looks = SharedFiles(tmp_path), list[int]()

    def stopped_round() -> int:
        looks.append(files.stopped_round())
        return looks[-1]

    board = Board(Publication(1, SidecarState.WAITING, "ns", "run", reason="", message=""), lambda _: None)
    part = TakingPart(
        rounds,  # type: ignore[arg-type]
        board,
        stopped_round,
        files.forget_stopped_round,
        wait_for_trainer=True,
        on_failure=lambda _: None,
    )

    def stops(number: int) -> None:
        if by == "post":
            board.trainer_stopped(number)
        else:
            (tmp_path / "ready").write_text(str(number))

    part.start()
    rounds.forms(7)
    eventually(lambda: board.newest.round == 7, "the trainer knows of it", SECONDS)
    rounds.is_over(7)
    stops(7)
    eventually(lambda: rounds.asked == 2, "it has joined again", SECONDS)
    rounds.forms(1)
    rounds.is_over(1)
    since = len(looks)
    eventually(lambda: len(looks) > since + WAITS, "it waits for its trainer, which still runs", SECONDS)
    assert rounds.asked == 2
    stops(1)
    eventually(lambda: rounds.asked == 3, "it has joined again", SECONDS)
    board.end()
