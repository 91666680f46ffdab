"""`elastic_launch` with the backend `kubernetes` does what it does with torch's own."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from integration.handlers.runs import Run
from integration.parity.agents import Agent, Launch, returned
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

TOUCH = "import os, pathlib, sys; pathlib.Path(sys.argv[1], os.environ['RANK']).touch()"


def test_a_single_agent_returns_what_its_workers_return(agent: Start) -> None:
    assert returned(agent(echo, "value", nproc=2)) == {0: "value", 1: "value"}


def test_workers_may_be_programs(agent: Start, tmp_path: Path) -> None:
    agents = [agent(sys.executable, "-c", TOUCH, str(tmp_path), nodes=(2, 2), nproc=2) for _ in range(2)]
    assert set(returned(*agents)) == {0, 1, 2, 3}
    assert {file.name for file in tmp_path.iterdir()} == {"0", "1", "2", "3"}


def test_one_of_up_to_two_agents_runs_alone_when_no_other_comes(agent: Start) -> None:
    told = returned(agent(tell, nodes=(1, 2), nproc=2))
    assert {rank: what["WORLD_SIZE"] for rank, what in told.items()} == {0: "2", 1: "2"}


def test_many_agents_return_each_rank_once(agent: Start) -> None:
    told = returned(*[agent(tell, nodes=(3, 3), nproc=2) for _ in range(3)])
    assert sorted(told) == list(range(6))
    for rank, what in told.items():
        assert (what["RANK"], what["WORLD_SIZE"]) == (str(rank), "6")
        assert (what["GROUP_RANK"], what["LOCAL_RANK"]) == (str(rank // 2), str(rank % 2))
        assert (what["GROUP_WORLD_SIZE"], what["LOCAL_WORLD_SIZE"]) == ("3", "2")
    assert len({(what["MASTER_ADDR"], what["MASTER_PORT"]) for what in told.values()}) == 1


@pytest.mark.parametrize("nprocs", [(1, 1), (1, 2)], ids=["alike", "not-alike"])
def test_workers_meet_in_a_process_group(agent: Start, nprocs: tuple[int, ...]) -> None:
    size = sum(nprocs)
    agents = [agent(sum_of_ranks, nodes=(2, 2), nproc=nproc) for nproc in nprocs]
    assert returned(*agents) == dict.fromkeys(range(size), sum(range(size)))


def test_workers_meet_also_when_the_store_is_not_shared(agent: Start) -> None:
    own = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    assert returned(*[agent(sum_of_ranks, nodes=(2, 2), environment=own) for _ in range(2)]) == {0: 1, 1: 1}


@pytest.mark.parametrize(("variable", "told"), [("0", "True"), ("1", "False")])
def test_workers_are_told_whether_the_store_is_shared(agent: Start, variable: str, told: str) -> None:
    what = returned(agent(tell, environment={"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": variable}))[0]
    assert what["TORCHELASTIC_USE_AGENT_STORE"] == told


def test_workers_call_each_other_by_rpc(agent: Start) -> None:
    assert returned(*[agent(sum_by_rpc, nodes=(2, 2)) for _ in range(2)]) == {0: 3, 1: 3}


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_the_local_address_is_the_master_address(agent: Start, address: str) -> None:
    assert returned(agent(tell, local_addr=address))[0]["MASTER_ADDR"] == address


def test_workers_are_told_the_run_id(agent: Start, run: Run) -> None:
    assert returned(agent(tell))[0]["TORCHELASTIC_RUN_ID"] == run.name


def test_a_launch_without_a_run_id_gets_one_of_its_own(launch: Callable[..., Launch]) -> None:
    agent = Agent(replace(launch(tell), run_id=""))
    assert returned(agent)[0]["TORCHELASTIC_RUN_ID"].isdigit()


def test_agents_wait_for_those_whose_workers_end_later(agent: Start, tmp_path: Path) -> None:
    agents = [agent(finish_by_rank, str(tmp_path), nodes=(3, 3)) for _ in range(3)]
    assert returned(*agents) == {0: 0, 1: 1, 2: 2}


def test_a_failed_worker_is_retried_and_then_well(run: Run, agent: Start, tmp_path: Path) -> None:
    assert returned(agent(fail_once, str(tmp_path), max_restarts=2)) == {0: "1"}
    assert {file.name for file in tmp_path.iterdir()} == {"0-0", "0-1"}, "one failed attempt, and one that was well"
    assert run.status.round == 2


def test_a_worker_that_keeps_failing_fails_its_agent_after_max_restarts(run: Run, agent: Start, tmp_path: Path) -> None:
    outcome = agent(fail_and_count, str(tmp_path), max_restarts=2).outcome()
    assert outcome.error == "ChildFailedError"
    assert {file.name for file in tmp_path.iterdir()} == {"0-0", "0-1", "0-2"}
    assert run.status.round == 3


def test_workers_that_keep_failing_fail_every_agent_after_max_restarts(agent: Start, tmp_path: Path) -> None:
    agents = [agent(fail_and_count, str(tmp_path), nodes=(2, 2), max_restarts=1) for _ in range(2)]
    errors = {one.outcome().error for one in agents}
    # Who fails last may find the rendezvous closed by who failed first.
    assert errors in ({"ChildFailedError"}, {"ChildFailedError", "RendezvousClosedError"})
    attempts = {file.name for file in tmp_path.iterdir()}
    assert attempts >= {"0-0", "1-0"}
    assert attempts & {"0-1", "1-1"}, "a second attempt was made, and its workers were told so"
    assert not [name for name in attempts if name.endswith("-2")]
