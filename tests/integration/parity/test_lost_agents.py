"""An agent that is killed does not end the job: torch runs these for etcd only, c10d fails the first."""

from collections.abc import Callable
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.parity.agents import Agent, returned
from integration.parity.drivers import by_agent
from integration.parity.worker_functions import finish_first, run_until_finish

HEARTBEAT_SECONDS = 1
LIMIT_SECONDS = 60.0

Start = Callable[..., Agent]


def workers(folder: Path, agent: Agent, size: int) -> set[str]:
    """The workers that this agent has started so far in a world of this size."""
    return {file.name.rsplit("-", 1)[1] for file in folder.glob(f"runs-*-of-{size}-agent-{agent.pid}-worker-*")}


def wait_for_workers(folder: Path, *agents: Agent) -> None:
    """Wait until each agent has started a worker in a world of just these."""
    eventually(
        lambda: all(workers(folder, agent, len(agents)) for agent in agents),
        f"workers of {len(agents)} agents",
        LIMIT_SECONDS,
    )


def test_one_of_a_fixed_number_of_agents_is_killed_and_replaced(run: Run, agent: Start, tmp_path: Path) -> None:
    run.create(minNodes=2, maxNodes=2, heartbeatSeconds=HEARTBEAT_SECONDS)
    stays, lost = (agent(run_until_finish, str(tmp_path), nodes=(2, 2)) for _ in range(2))
    wait_for_workers(tmp_path, stays, lost)
    before = workers(tmp_path, stays, 2)
    lost.kill()
    replacement = agent(run_until_finish, str(tmp_path), nodes=(2, 2))
    eventually(lambda: workers(tmp_path, stays, 2) - before, "the survivor restarts its worker", LIMIT_SECONDS)
    wait_for_workers(tmp_path, stays, replacement)
    (tmp_path / "finish").touch()
    # No restart is charged for a change of membership.
    assert returned(stays, replacement) == {0: (0, 2, "0"), 1: (1, 2, "0")}
    assert len(workers(tmp_path, stays, 2)) == 2
    assert len(workers(tmp_path, replacement, 2)) == 1
    assert run.status.round == 2


def test_the_others_go_on_when_one_is_killed(run: Run, agent: Start, tmp_path: Path) -> None:
    run.create(minNodes=1, maxNodes=2, heartbeatSeconds=HEARTBEAT_SECONDS, lastCallSeconds=2)
    stays, lost = (agent(run_until_finish, str(tmp_path), nodes=(1, 2)) for _ in range(2))
    wait_for_workers(tmp_path, stays, lost)
    lost.kill()
    wait_for_workers(tmp_path, stays)
    (tmp_path / "finish").touch()
    assert returned(stays) == {0: (0, 1, "0")}


def test_one_that_comes_late_makes_the_world_larger_and_costs_no_restart(
    run: Run, agent: Start, tmp_path: Path
) -> None:
    run.create(minNodes=1, maxNodes=2, lastCallSeconds=0)
    first = agent(run_until_finish, str(tmp_path), nodes=(1, 2), max_restarts=1, drive=by_agent)
    wait_for_workers(tmp_path, first)
    second = agent(run_until_finish, str(tmp_path), nodes=(1, 2), max_restarts=1, drive=by_agent)
    wait_for_workers(tmp_path, first, second)
    (tmp_path / "finish").touch()
    outcomes = [first.outcome(), second.outcome()]
    assert [outcome.error for outcome in outcomes] == ["", ""]
    assert [outcome.restarts_left for outcome in outcomes] == [1, 1]
    assert {**outcomes[0].returned, **outcomes[1].returned} == {0: (0, 2, "0"), 1: (1, 2, "0")}


@pytest.mark.parametrize("first", [0, 1], ids=["its-host-stays", "its-host-dies"])
def test_an_agent_that_dies_during_the_exit_barrier_does_not_fail_the_others(
    run: Run, agent: Start, tmp_path: Path, first: int
) -> None:
    """Rank 0 serves the store at which they wait for each other; without it the barrier breaks at once."""
    run.create(minNodes=2, maxNodes=2)
    both = [
        agent(finish_first, str(tmp_path), first, nodes=(2, 2), drive=by_agent, exit_barrier_seconds=3.0)
        for _ in range(2)
    ]
    eventually(lambda: len(list(tmp_path.glob("rank-*"))) == 2, "both workers", LIMIT_SECONDS)
    done = next(one for one in both if list(tmp_path.glob(f"rank-{first}-agent-{one.pid}")))
    lost = next(one for one in both if one is not done)
    lost.kill()
    outcome = done.outcome()
    assert (outcome.error, outcome.state, outcome.returned) == ("", "SUCCEEDED", {first: first})
    run.until(lambda status: status.closed is not None, "it is closed, as the survivor shut down")
