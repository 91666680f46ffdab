"""The rendezvous is closed whenever torch shuts its handler down, and only then: not when a signal ends the agent."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.parity.agents import Agent, returned
from integration.parity.health_checks import by_launcher_with_health_check, is_alive
from integration.parity.torchruns import LIMIT_SECONDS, environment, torchrun
from integration.parity.worker_functions import echo, fail_and_count, run_until_finish
from kube_rendezvous.free_port import get_free_port
from rendezvous_local.cluster import Cluster

WAIT = "import pathlib, sys, time\npathlib.Path(sys.argv[1]).touch()\ntime.sleep(600)\n"

Start = Callable[..., Agent]


def test_it_is_closed_when_the_workers_were_well(run: Run, agent: Start) -> None:
    assert returned(agent(echo, "value")) == {0: "value"}
    status = run.status
    assert status.closed is not None
    assert status.closed.reason == "ClosedByMember"
    eventually(lambda: not run.members(), "its Member is gone")


def test_it_is_closed_when_a_worker_failed(run: Run, agent: Start, tmp_path: Path) -> None:
    assert agent(fail_and_count, str(tmp_path)).outcome().error == "ChildFailedError"
    assert run.status.closed is not None
    eventually(lambda: not run.members(), "its Member is gone")


def test_it_is_closed_when_the_agent_itself_fails(run: Run, agent: Start, tmp_path: Path) -> None:
    outcome = agent(str(tmp_path / "no-such-program")).outcome()
    assert outcome.error == "FileNotFoundError", outcome.trace
    assert run.status.closed is not None
    eventually(lambda: not run.members(), "its Member is gone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stays_open_when_a_signal_ends_the_agent_and_the_node_leaves(
    run: Run, agent: Start, cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    script, started = tmp_path / "worker.py", tmp_path / "started"
    script.write_text(WAIT)
    arguments = ["--rdzv-backend=kubernetes", f"--rdzv-id={run.name}", f"--rdzv-endpoint={run.namespace}"]
    conf = ["--rdzv-conf=last_call_timeout=1", "--nnodes=1"]
    process = torchrun([*arguments, *conf], script, environment(cluster), str(started))
    try:
        eventually(started.exists, "its worker runs", LIMIT_SECONDS)
        process.send_signal(number)
        _, errors = process.communicate(timeout=LIMIT_SECONDS)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "SignalException" in errors
    eventually(lambda: not run.members(), "its Member is gone")
    assert run.status.closed is None
    # Nothing was lost: the next agent that comes goes on with the next round.
    assert returned(agent(echo, "value")) == {0: "value"}
    assert run.status.round == 2


def test_a_health_check_server_answers_while_the_workers_run_in_every_round_and_no_longer(
    run: Run, agent: Start, tmp_path: Path
) -> None:
    run.create(minNodes=1, maxNodes=2, lastCallSeconds=0)
    port = get_free_port()
    variables = {"TORCHELASTIC_HEALTH_CHECK_PORT": str(port)}
    worker = (run_until_finish, str(tmp_path))
    first = agent(*worker, nodes=(1, 2), drive=by_launcher_with_health_check, environment=variables)
    eventually(lambda: list(tmp_path.glob("runs-0-of-1-*")), "its worker runs", LIMIT_SECONDS)
    assert is_alive(port)
    second = agent(*worker, nodes=(1, 2))
    eventually(lambda: len(list(tmp_path.glob("runs-*-of-2-*"))) == 2, "workers in a world of two", LIMIT_SECONDS)
    assert is_alive(port)
    (tmp_path / "finish").touch()
    assert returned(first, second) == {0: (0, 2, "0"), 1: (1, 2, "0")}
    assert not is_alive(port), "the agent has stopped it"
