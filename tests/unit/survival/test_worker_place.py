"""A worker's place says, without asking anybody, what all workers of a round must agree on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.standing_round import StandingRound
from kube_rendezvous.survival.worker_place import WorkerPlace
from unit.survival.builders import place

UIDS = st.uuids().map(str)
ROUNDS = st.integers(1, 2**31 - 1)


@given(UIDS, ROUNDS, UIDS, ROUNDS)
def test_no_two_rounds_have_the_same_number(uid: str, number: int, other_uid: str, other_number: int) -> None:
    same_round = (uid, number) == (other_uid, other_number)
    numbers = place(number, uid=uid).unique_number, place(other_number, uid=other_uid).unique_number
    assert (numbers[0] == numbers[1]) == same_round


@given(UIDS, ROUNDS)
def test_the_round_after_has_another_number_in_the_same_rendezvous(uid: str, number: int) -> None:
    assert place(number, uid=uid).unique_number != place(number + 1, uid=uid).unique_number


@given(UIDS, ROUNDS)
def test_a_number_is_a_positive_one_of_62_bits(uid: str, number: int) -> None:
    assert 0 <= place(number, uid=uid).unique_number < 2**62


@given(UIDS, ROUNDS, st.integers(0, 7), st.integers(0, 7))
def test_all_workers_of_a_round_find_the_same_number_and_the_same_keys(
    uid: str, number: int, node: int, local: int
) -> None:
    first, mine = (place(number, uid=uid, node=n, local=m, nodes=8, local_size=8) for n, m in [(0, 0), (node, local)])
    assert (mine.unique_number, mine.store_prefix) == (first.unique_number, first.store_prefix)


def test_every_rendezvous_and_every_round_has_keys_of_its_own() -> None:
    assert len({place(number, uid=uid).store_prefix for number in (1, 2, 12) for uid in ("a", "b", "a/1")}) == 9


@given(UIDS, ROUNDS, st.integers(0, 7), st.integers(0, 7), st.text())
def test_a_place_is_the_same_after_it_was_sent(uid: str, number: int, node: int, local: int, address: str) -> None:
    mine = place(number, uid=uid, node=node, nodes=8, local=local, local_size=8, coordinator=address)
    assert WorkerPlace.from_json(json.loads(json.dumps(mine.to_json()))) == mine


def test_what_a_newer_launcher_says_beyond_a_place_is_ignored() -> None:
    assert WorkerPlace.from_json(place().to_json() | {"weather": "fine"}) == place()


@pytest.mark.parametrize("said", [{}, {"namespace": "default"}, place().to_json() | {"number": ...}])
def test_something_that_is_no_place_is_refused(said: dict[str, Any]) -> None:
    said = {key: value for key, value in said.items() if value is not ...}
    with pytest.raises(KeyError):
        WorkerPlace.from_json(said)


@pytest.mark.parametrize(
    ("node", "local", "serves"), [(0, 0, True), (0, 1, False), (1, 0, False), (1, 1, False)], ids=str
)
def test_the_first_worker_of_the_first_node_serves_the_store(node: int, local: int, serves: bool) -> None:
    assert place(node=node, nodes=2, local=local, local_size=2).serves_store is serves


def test_a_worker_stands_where_its_node_stands() -> None:
    standing = StandingRound("ml", "run", 4, 1, 3, "10.0.0.7", 29500, rendezvous_uid="uid")
    mine = WorkerPlace.of(standing, 2, 8, "127.0.0.1:1234")
    assert mine == WorkerPlace("ml", "run", "uid", 4, 1, 3, 2, 8, "10.0.0.7", 29500, "127.0.0.1:1234")


def test_a_worker_finds_torchruns_variables_of_its_round() -> None:
    assert place(4, node=1, nodes=3, local=2, local_size=8).environment(10, 24) == {
        "RANK": "10",
        "WORLD_SIZE": "24",
        "LOCAL_RANK": "2",
        "LOCAL_WORLD_SIZE": "8",
        "GROUP_RANK": "1",
        "GROUP_WORLD_SIZE": "3",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "1",
        "RENDEZVOUS_ROUND": "4",
    }
