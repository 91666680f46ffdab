"""`LocalElasticAgent`, driven directly: ranks, failures and the exit barrier, as torch's own tests ask for them."""

import gc
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.parity.agents import Agent, Launch, returned
from integration.parity.drivers import by_agent, handler_of, local_agent
from integration.parity.worker_functions import (
    die_once,
    echo,
    fail_and_count,
    fail_if_odd,
    finish_by_rank,
    run_until_finish,
    tell,
)
from rendezvous_local.cluster import Cluster

ALIKE = [("master", 2), ("trainer", 2), ("trainer", 2), ("trainer", 2), ("ps", 2)]
NOT_ALIKE = [("master", 3), ("trainer", 1), ("trainer", 3), ("ps", 2), ("ps", 1)]
WRITE_DOWN = "import os, pathlib, sys; v = os.environ; pathlib.Path(sys.argv[1], v['RANK']).write_text(v['WORLD_SIZE'])"

Start = Callable[..., Agent]


@pytest.fixture
def local(agent: Start) -> Start:
    """As `agent`, but the agent class itself is run."""

    def start(entry: Callable[..., Any], *args: Any, **options: Any) -> Agent:
        return agent(entry, *args, drive=by_agent, **options)

    return start


def follow_each_other(ranks: Sequence[int]) -> bool:
    return sorted(ranks) == list(range(min(ranks), max(ranks) + 1))


@pytest.mark.parametrize("groups", [ALIKE, NOT_ALIKE], ids=["alike", "not-alike"])
def test_ranks_are_right_for_every_worker_in_its_group_its_role_and_the_world(
    local: Start, groups: list[tuple[str, int]]
) -> None:
    count = len(groups)
    told = returned(*[local(tell, nodes=(count, count), role=role, nproc=nproc) for role, nproc in groups])
    size = sum(nproc for _, nproc in groups)
    assert sorted(told) == list(range(size))
    by_role: dict[str, list[int]] = defaultdict(list)
    by_group: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for rank, what in told.items():
        assert (what["RANK"], what["WORLD_SIZE"], what["GROUP_WORLD_SIZE"]) == (str(rank), str(size), str(count))
        assert what["ROLE_WORLD_SIZE"] == str(sum(nproc for role, nproc in groups if role == what["ROLE_NAME"]))
        by_role[what["ROLE_NAME"]].append(int(what["ROLE_RANK"]))
        by_group[what["GROUP_RANK"]].append((int(what["LOCAL_RANK"]), rank, int(what["ROLE_RANK"])))
    for role, in_role in by_role.items():
        assert sorted(in_role) == list(range(sum(nproc for name, nproc in groups if name == role)))
    assert sorted(by_group) == [str(number) for number in range(count)]
    for workers in by_group.values():
        local_ranks, ranks, role_ranks = zip(*workers, strict=True)
        assert sorted(local_ranks) == list(range(len(workers)))
        assert follow_each_other(ranks)
        assert follow_each_other(role_ranks)


def test_agents_in_threads_of_one_process_are_nodes_of_their_own(
    launch: Callable[..., Launch], cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    what = launch(sys.executable, "-c", WRITE_DOWN, str(tmp_path), nodes=(3, 3), nproc=2)

    def run(number: int) -> tuple[int | None, bool]:
        handler = handler_of(what)
        try:
            agent = local_agent(what, handler)
            return agent.get_worker_group().group_rank, agent.run().is_failed()
        finally:
            handler.shutdown()

    with ThreadPoolExecutor(3) as pool:
        assert [failed for _, failed in pool.map(run, range(3))] == [False, False, False]
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {str(rank): "6" for rank in range(6)}


def test_what_is_told_of_the_end_names_the_backend_and_the_run(run: Run, local: Start) -> None:
    outcome = local(echo, "value", role="reader").outcome()
    assert not outcome.error, outcome.trace
    assert (outcome.state, outcome.returned) == ("SUCCEEDED", {0: "value"})
    event = outcome.event
    assert (event["rdzv_backend"], event["run_id"], event["role"]) == ("kubernetes", run.name, "reader")


def test_a_fixed_master_address_and_port_win_over_those_of_the_rendezvous(local: Start) -> None:
    what = returned(local(tell, master=("master.example", 42)))[0]
    assert (what["MASTER_ADDR"], what["MASTER_PORT"]) == ("master.example", "42")


def test_a_killed_worker_costs_one_restart_of_all_workers_of_its_agent(local: Start) -> None:
    outcome = local(die_once, nproc=2, max_restarts=3).outcome()
    assert not outcome.error, outcome.trace
    assert (outcome.returned, outcome.restarts_left) == ({0: "1", 1: "1"}, 2)


def test_workers_that_keep_failing_use_up_the_restarts(local: Start, tmp_path: Path) -> None:
    outcome = local(fail_and_count, str(tmp_path), max_restarts=1).outcome()
    assert not outcome.error, "the agent itself tells of failed workers, and raises nothing"
    assert (outcome.state, outcome.restarts_left, outcome.returned) == ("FAILED", 0, {})
    assert {file.name for file in tmp_path.iterdir()} == {"0-0", "0-1"}


def test_agents_that_end_apart_by_more_than_the_exit_barrier_end_well(local: Start, tmp_path: Path) -> None:
    agents = [local(finish_by_rank, str(tmp_path), nodes=(2, 2), exit_barrier_seconds=0.0) for _ in range(2)]
    assert returned(*agents) == {0: 0, 1: 1}


def test_nobody_waits_at_the_exit_barrier_after_a_failure(local: Start, tmp_path: Path) -> None:
    # The barrier would last longer than a test waits for an agent.
    agents = [local(fail_if_odd, str(tmp_path), nodes=(2, 2), nproc=2, exit_barrier_seconds=300.0) for _ in range(2)]
    assert [one.outcome().state for one in agents] == ["FAILED", "FAILED"]


def test_workers_run_on_when_the_agent_of_others_has_failed(run: Run, local: Start, tmp_path: Path) -> None:
    run.create(minNodes=2, maxNodes=2)
    agents = [local(fail_if_odd, str(tmp_path), nodes=(2, 2), exit_barrier_seconds=1.0) for _ in range(2)]
    run.until(lambda status: status.closed is not None, "the agent whose worker failed has shut down")
    (tmp_path / "finish").touch()
    assert {one.outcome().state for one in agents} == {"FAILED", "SUCCEEDED"}
    assert run.status.round == 1, "nobody was restarted"


def test_nothing_is_left_of_an_agent_that_is_dropped_and_whose_handler_nobody_shut_down(
    launch: Callable[..., Launch], cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    before = {thread.name for thread in threading.enumerate()}
    what = launch(sys.executable, "-c", WRITE_DOWN, str(tmp_path))
    agent = local_agent(what, handler_of(what))
    assert not agent.run().is_failed()
    assert len(run.members()) == 1
    del agent
    gc.collect()
    eventually(lambda: not run.members(), "its Member is gone")
    eventually(lambda: {thread.name for thread in threading.enumerate()} <= before, "its threads have ended")
    assert run.status.closed is None


def test_an_agent_that_is_not_needed_ends_cleanly_and_starts_no_worker(run: Run, local: Start, tmp_path: Path) -> None:
    run.create(minNodes=1, maxNodes=1, standby={"max": 0})
    needed = local(run_until_finish, str(tmp_path))
    run.until(lambda status: status.round == 1, "the round of the node that is needed")
    surplus = local(echo, "value").outcome()
    assert (surplus.error, surplus.state, surplus.returned) == ("", "INIT", {})
    status = run.status
    assert (status.closed, status.round) == (None, 1), "it did not end the run of the others"
    (tmp_path / "finish").touch()
    assert returned(needed) == {0: (0, 1, "0")}


def test_the_launcher_ends_with_status_0_when_its_node_is_not_needed(run: Run, agent: Start, tmp_path: Path) -> None:
    run.create(minNodes=1, maxNodes=1, standby={"max": 0})
    needed = agent(run_until_finish, str(tmp_path))
    run.until(lambda status: status.round == 1, "the round of the node that is needed")
    assert agent(echo, "value").outcome().error == "SystemExit(0)"
    (tmp_path / "finish").touch()
    assert returned(needed) == {0: (0, 1, "0")}
