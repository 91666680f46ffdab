"""A fleet of members in several processes (`performance.player`), and what it cost the API server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from performance.other_commit import client_path

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class FleetError(Exception):
    """A player could not do what it was asked to; the text says which one and why."""


class Fleet:
    """Player processes that are asked the same things at the same time.

    Args:
        players: one process each.
        counts: how many members each plays.
    """

    def __init__(self, players: Sequence["subprocess.Popen[str]"], counts: Sequence[int]) -> None:
        self._players = players
        self._counts = counts

    def ask(self, do: str, **arguments: Any) -> list[dict[str, Any]]:
        """Ask all, and wait for all answers, in order.

        Raises:
            FleetError: one could not.
        """
        self.tell(do, **arguments)
        return self.answers()

    def answers(self) -> list[dict[str, Any]]:
        """Wait for the answers to what was told. Errors as `ask`."""
        return [self._answer(player) for player in self._players]

    def together_with(self, others: "Fleet") -> "Fleet":
        """Both, as one."""
        return Fleet([*self._players, *others._players], [*self._counts, *others._counts])

    def prepare(self, namespace: str, rendezvous: str, first: int = 0, nodes: int = 0) -> None:
        """Each makes its members. Errors as `ask`.

        Args:
            namespace, rendezvous: where they are to join.
            first: number of the first member.
            nodes: how many play in all; 0: these here.
        """
        nodes = nodes or sum(self._counts)
        for player, count in zip(self._players, self._counts, strict=True):
            asked = {"namespace": namespace, "rendezvous": rendezvous, "first": first, "count": count, "nodes": nodes}
            _say(player, {"do": "prepare", **asked})
            first += count
        for player in self._players:
            self._answer(player)

    def tell(self, do: str, **arguments: Any) -> None:
        """Ask without waiting; `answers` waits."""
        for player in self._players:
            _say(player, {"do": do, **arguments})

    def _answer(self, player: "subprocess.Popen[str]") -> dict[str, Any]:
        assert player.stdout is not None
        line = player.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process has ended"}
        if "error" in answer:
            raise FleetError(f"player {self._players.index(player)}: {answer['error']}")
        return answer


@contextmanager
def fleet(
    kubeconfig: Path, nodes: int, processes: int, commit: Path | None = None, module: str = "performance.player"
) -> Iterator[Fleet]:
    """Start the processes, and end them.

    Args:
        kubeconfig: of the cluster.
        nodes: members in all.
        processes: among which they are shared out.
        commit: whose client plays, see `commit_files.check_out`; None: ours.
        module: what plays: speaks as `performance.player` does.
    """
    processes = min(processes, nodes)
    counts = [nodes // processes + (number < nodes % processes) for number in range(processes)]
    command = [sys.executable, "-m", module, f"--kubeconfig={kubeconfig}"]
    players = [
        subprocess.Popen(
            command,
            env={**os.environ, **client_path(commit)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for _ in counts
    ]
    try:
        yield Fleet(players, counts)
    finally:
        for player in players:
            player.kill()
            player.wait()


def cpu_seconds(process: int) -> float:
    """Of user and system that a process has used, its ended children left out."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def peak_bytes(process: int) -> int:
    """The most memory that a process has held so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) << 10


def resident_bytes(process: int) -> int:
    """Memory that a process holds now."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _say(player: "subprocess.Popen[str]", command: Mapping[str, Any]) -> None:
    assert player.stdin is not None
    player.stdin.write(json.dumps(command) + "\n")
    player.stdin.flush()
