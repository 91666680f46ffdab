"""`elastic_launch` with the backend `kubernetes` does what it does with torch's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from integration.handlers.runs import Run
from integration.parity.agents import Agent
from integration.parity.worker_functions import (
    echo,
    fail_and_count,
    fail_once,
    finish_by_rank,
    sum_by_rpc,
    sum_of_ranks,
    tell,
)

Start = Callable[..., Agent]


def returned(*agents: Agent) -> dict[int, object]:
    """What all workers returned, by global rank; every agent must have ended well."""
    found: dict[int, object] = {}
    for agent in agents:
        outcome = agent.outcome()
        assert not outcome.error, outcome.trace
        assert not set(found) & set(outcome.returned), "two workers have the same global rank"
        found.update(outcome.returned)
    return found


def test_a_single_agent_returns_what_its_workers_return(agent: Start) -> None:
    assert returned(agent(echo, "value", nproc=2)) == {0: "value", 1: "value"}


def test_many_agents_return_each_rank_once(agent: Start) -> None:
    agents = [agent(tell, nodes=(3, 3), nproc=2) for _ in range(3)]
    told = returned(*agents)
    assert sorted(told) == list(range(6))
    for rank, what in told.items():
        assert isinstance(what, dict)
        assert (what["RANK"], what["WORLD_SIZE"]) == (str(rank), "6")
        assert (what["GROUP_RANK"], what["LOCAL_RANK"]) == (str(rank // 2), str(rank % 2))
        assert what["GROUP_WORLD_SIZE"] == "3"


def test_agents_with_different_numbers_of_workers_share_one_world(agent: Start) -> None:
    agents = [agent(tell, nodes=(3, 3), nproc=nproc) for nproc in (1, 2, 3)]
    told = returned(*agents)
    assert sorted(told) == list(range(6))
    assert {what["WORLD_SIZE"] for what in told.values() if isinstance(what, dict)} == {"6"}


def test_ranks_within_a_role_count_only_workers_of_that_role(agent: Start) -> None:
    roles = [("trainer", 2), ("reader", 1), ("trainer", 1)]
    told = returned(*[agent(tell, nodes=(3, 3), nproc=nproc, role=role) for role, nproc in roles])
    assert sorted(told) == list(range(4))
    by_role: dict[str, list[tuple[str, str]]] = {"trainer": [], "reader": []}
    for what in told.values():
        assert isinstance(what, dict)
        by_role[what["ROLE_NAME"]].append((what["ROLE_RANK"], what["ROLE_WORLD_SIZE"]))
    assert sorted(by_role["trainer"]) == [("0", "3"), ("1", "3"), ("2", "3")]
    assert by_role["reader"] == [("0", "1")]


def test_workers_meet_in_a_process_group(agent: Start) -> None:
    assert returned(*[agent(sum_of_ranks, nodes=(2, 2)) for _ in range(2)]) == {0: 1, 1: 1}


def test_workers_meet_also_when_the_store_is_not_shared(agent: Start) -> None:
    own = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    assert returned(*[agent(sum_of_ranks, nodes=(2, 2), environment=own) for _ in range(2)]) == {0: 1, 1: 1}


@pytest.mark.parametrize(("variable", "told"), [("0", "True"), ("1", "False")])
def test_workers_are_told_whether_the_store_is_shared(agent: Start, variable: str, told: str) -> None:
    what = returned(agent(tell, environment={"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": variable}))[0]
    assert isinstance(what, dict)
    assert what["TORCHELASTIC_USE_AGENT_STORE"] == told


def test_workers_call_each_other_by_rpc(agent: Start) -> None:
    assert returned(*[agent(sum_by_rpc, nodes=(2, 2)) for _ in range(2)]) == {0: 3, 1: 3}


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_the_local_address_is_the_master_address(agent: Start, address: str) -> None:
    what = returned(agent(tell, local_addr=address))[0]
    assert isinstance(what, dict)
    assert what["MASTER_ADDR"] == address


def test_workers_are_told_the_run_id(agent: Start, run: Run) -> None:
    what = returned(agent(tell))[0]
    assert isinstance(what, dict)
    assert what["TORCHELASTIC_RUN_ID"] == run.name


def test_agents_wait_for_those_whose_workers_end_later(agent: Start, tmp_path: Path) -> None:
    agents = [agent(finish_by_rank, str(tmp_path), nodes=(3, 3)) for _ in range(3)]
    assert returned(*agents) == {0: 0, 1: 1, 2: 2}


def test_a_failed_worker_is_retried_and_then_well(agent: Start, tmp_path: Path) -> None:
    assert returned(agent(fail_once, str(tmp_path), max_restarts=2)) == {0: "1"}


def test_workers_that_keep_failing_fail_every_agent_after_max_restarts(agent: Start, tmp_path: Path) -> None:
    agents = [agent(fail_and_count, str(tmp_path), nodes=(2, 2), max_restarts=1) for _ in range(2)]
    assert {one.outcome().error for one in agents} <= {"ChildFailedError", "RendezvousClosedError"}
    assert {file.name for file in tmp_path.iterdir()} >= {"0-0", "1-0"}
    assert not [file for file in tmp_path.iterdir() if file.name.endswith("-2")]
