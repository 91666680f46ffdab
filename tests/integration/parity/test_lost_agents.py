"""An agent that is killed does not end the job: torch runs these for etcd only, c10d fails the first."""

from collections.abc import Callable
from pathlib import Path

from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.parity.agents import Agent
from integration.parity.worker_functions import run_until_finish

HEARTBEAT_SECONDS = 1
LIMIT_SECONDS = 60.0


def wait_for_workers(folder: Path, agents: list[Agent]) -> None:
    """Wait until a worker of each agent has run in a world of just these."""
    pids = {str(agent.process.pid) for agent in agents}
    size = len(agents)

    def all_run() -> bool:
        return pids <= {file.name.rsplit("-", 1)[1] for file in folder.glob(f"runs-*-of-{size}-*")}

    eventually(all_run, f"workers of {size} agents", LIMIT_SECONDS)


def test_one_of_a_fixed_number_of_agents_is_killed_and_replaced(
    run: Run, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    run.create(minNodes=2, maxNodes=2, heartbeatSeconds=HEARTBEAT_SECONDS)
    stays, lost = (agent(run_until_finish, str(tmp_path), nodes=(2, 2)) for _ in range(2))
    wait_for_workers(tmp_path, [stays, lost])
    lost.kill()
    replacement = agent(run_until_finish, str(tmp_path), nodes=(2, 2))
    wait_for_workers(tmp_path, [stays, replacement])
    run.until(lambda status: status.round >= 2 and len(status.ranks) == 2, "the next round", LIMIT_SECONDS)
    (tmp_path / "finish").touch()
    assert {one.outcome().error for one in (stays, replacement)} == {""}


def test_the_others_go_on_when_one_is_killed(run: Run, agent: Callable[..., Agent], tmp_path: Path) -> None:
    run.create(minNodes=1, maxNodes=2, heartbeatSeconds=HEARTBEAT_SECONDS, lastCallSeconds=2)
    stays, lost = (agent(run_until_finish, str(tmp_path), nodes=(1, 2)) for _ in range(2))
    wait_for_workers(tmp_path, [stays, lost])
    lost.kill()
    run.until(lambda status: len(status.ranks) == 1, "a round of one", LIMIT_SECONDS)
    wait_for_workers(tmp_path, [stays])
    (tmp_path / "finish").touch()
    outcome = stays.outcome()
    assert not outcome.error, outcome.trace
    assert dict(outcome.returned) == {0: (0, 1)}
