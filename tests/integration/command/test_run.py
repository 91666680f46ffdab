"""`kube-rendezvous run`: a trainer a round, and its exit status."""

import signal
import sys
from pathlib import Path

import pytest

from integration.command.conftest import Start
from integration.command.wrapped_node import is_alive, until_they_run
from integration.handlers.eventually import eventually
from integration.handlers.runs import Run
from integration.recorder import Recorder


def finish(folder: Path, name: str = "all", status: int = 0) -> None:
    """Let a trainer, or all of them, end with this status."""
    part = folder / f"{name}.part"
    part.write_text(str(status))
    part.rename(folder / f"{name}.exit")


@pytest.mark.core
class TestRounds:
    def test_a_node_that_is_killed_takes_its_trainer_along_and_the_others_start_again_without_it(
        self, run: Run, trainer: Start, tmp_path: Path
    ) -> None:
        run.create(minNodes=2, maxNodes=3, heartbeatSeconds=1)
        nodes = [trainer(f"node-{index}") for index in range(3)]
        first = until_they_run(nodes, 3)
        nodes.sort(key=lambda node: int(node.newest["RANK"]))
        assert [int(node.newest["RANK"]) for node in nodes] == [0, 1, 2]
        assert len({node.newest["JAX_COORDINATOR_ADDRESS"] for node in nodes}) == 1

        lost, *others = nodes
        lost.kill()
        eventually(lambda: not is_alive(lost.newest["pid"]), "the end of the trainer")
        eventually(lambda: not is_alive(lost.newest["child"]), "the end of what the trainer had started")

        until_they_run(others, 2, after=first)
        assert sorted(int(node.newest["RANK"]) for node in others) == [0, 1]
        assert all(not is_alive(node.starts[0]["child"]) for node in others)
        assert "HeartbeatLost" in others[0].log

        finish(tmp_path)
        assert [node.exit_status() for node in others] == [0, 0]
        assert run.status.closed is not None

    def test_a_trainer_that_does_not_hear_sigterm_is_killed_when_its_grace_is_over(
        self, run: Run, trainer: Start, tmp_path: Path
    ) -> None:
        run.create(minNodes=1, maxNodes=2)
        stubborn = trainer("node-0", "--grace", "0.5", stubborn=True)
        first = until_they_run([stubborn], 1)

        newcomer = trainer("node-1")
        until_they_run([stubborn, newcomer], 2, after=first)

        assert not is_alive(stubborn.starts[0]["pid"])
        assert "SIGKILL" in stubborn.log
        finish(tmp_path)
        assert [stubborn.exit_status(), newcomer.exit_status()] == [0, 0]

    def test_rank_0_may_inherit_the_socket_that_is_announced(self, run: Run, start: Start) -> None:
        run.create(minNodes=1, maxNodes=1)
        said = (
            "import os, socket; s = socket.socket(fileno=int(os.environ['RENDEZVOUS_SOCKET_FD'])); "
            "print('port', s.getsockname()[1] == int(os.environ['MASTER_PORT']), flush=True)"
        )
        # The variable is torch's: agents that heed it need a store, and here is none.
        node = start(
            *("node-0", "run", "--inherit-socket", "--", sys.executable, "-c", said),
            TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",
        )
        assert node.exit_status() == 0
        assert "port True" in node.log


class TestExitStatus:
    @pytest.mark.parametrize(("ends_with", "status"), [(3, 3), (-signal.SIGSEGV, 139)])
    def test_is_the_trainers_and_128_and_more_for_a_signal(
        self, run: Run, trainer: Start, recorder: Recorder, tmp_path: Path, ends_with: int, status: int
    ) -> None:
        run.create(minNodes=1, maxNodes=1)
        finish(tmp_path, status=ends_with)
        assert trainer("node-0").exit_status() == status
        recorder.wait_for_members("Member that has left", lambda them: not them, 15.0)
        assert run.status.closed is None

    def test_a_failure_takes_everybody_to_a_new_round_while_restarts_are_left(
        self, run: Run, trainer: Start, tmp_path: Path
    ) -> None:
        run.create(minNodes=2, maxNodes=2)
        nodes = [trainer(f"node-{index}", "--max-restarts", "1") for index in range(2)]
        first = until_they_run(nodes, 2)
        finish(tmp_path, "node-1", status=5)
        second = until_they_run(nodes, 2, after=first)
        assert second == first + 1

        finish(tmp_path, "node-1", status=6)
        assert nodes[1].exit_status() == 6
        # It left and did not close: its replacement makes up the number again.
        nodes[1] = trainer("node-1")
        until_they_run(nodes, 2, after=second)
        finish(tmp_path)
        assert [node.exit_status() for node in nodes] == [0, 0]

    def test_a_command_that_is_not_there_is_said_before_anybody_joins(self, start: Start, recorder: Recorder) -> None:
        node = start("node-0", "run", "--", "no-such-command")
        assert node.exit_status() == 127
        assert "no-such-command: command not found" in node.log
        assert not recorder.members()

    def test_a_closed_rendezvous_is_79(self, run: Run, trainer: Start) -> None:
        run.create(minNodes=1, maxNodes=1, closed=True)
        node = trainer("node-0")
        assert node.exit_status() == 79
        assert "is closed" in node.log

    def test_no_round_in_time_is_75(self, run: Run, trainer: Start) -> None:
        run.create(minNodes=2, maxNodes=2)
        node = trainer("node-0", "--join-timeout", "1")
        assert node.exit_status() == 75
        assert "1 of 2 required nodes wait" in node.log


class TestSignals:
    def test_sigterm_is_handed_on_and_the_node_leaves(self, run: Run, trainer: Start, tmp_path: Path) -> None:
        run.create(minNodes=1, maxNodes=2)
        nodes = [trainer(f"node-{index}") for index in range(2)]
        first = until_they_run(nodes, 2)

        nodes[1].signal(signal.SIGTERM)
        assert nodes[1].exit_status() == 128 + signal.SIGTERM
        until_they_run(nodes[:1], 1, after=first)  # at once: it has left, and no heartbeat had to be missed
        assert "MemberLeft" in nodes[0].log
        finish(tmp_path)
        assert nodes[0].exit_status() == 0

    def test_a_second_signal_kills_a_trainer_that_does_not_end(self, run: Run, trainer: Start) -> None:
        run.create(minNodes=1, maxNodes=1)
        node = trainer("node-0", "--grace", "600", stubborn=True)
        until_they_run([node], 1)
        node.signal(signal.SIGTERM)
        node.signal(signal.SIGINT)
        assert node.exit_status() == 128 + signal.SIGKILL

    def test_sigint_while_it_waits_for_a_round_leaves_no_member_behind(
        self, run: Run, trainer: Start, recorder: Recorder
    ) -> None:
        run.create(minNodes=2, maxNodes=2)
        node = trainer("node-0")
        recorder.wait_for_members("Member of the node", lambda them: len(them) == 1, 30.0)
        node.signal(signal.SIGINT)
        assert node.exit_status() == 128 + signal.SIGINT
        recorder.wait_for_members("Member that has left", lambda them: not them, 15.0)
