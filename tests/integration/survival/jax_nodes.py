"""Nodes of a JAX job as processes, each a launcher and one worker, and rounds of them: the test plays the operator."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """A worker's. `at`: when it was given, of the monotonic clock."""

    done: Any
    error: str | None
    message: str
    at: float


class Program:
    """One of the two programs beside this file."""

    def __init__(self, name: str, log: Path, marker: str = "") -> None:
        self._log = log.open("w")
        self.process = subprocess.Popen(
            [sys.executable, str(_HERE / name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._marker = marker
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def tell(self, **asked: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    def answer(self, timeout: float = ANSWER_SECONDS) -> Any:
        """The next one. TimeoutError: none yet. EOFError: the program has ended."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no answer within {timeout:g} s") from None
        if line is None:
            self._lines.put(None)
            raise EOFError(f"{self._log.name}: ended with {self.process.wait()}")
        return json.loads(line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.kill()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._log.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(self._marker) and line.strip():  # gloo writes there, too
                self._lines.put(line[len(self._marker) :])
        self._lines.put(None)


class Node:
    """A launcher and its one worker."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.launcher = Program("jax_launcher.py", folder / f"{name}.launcher.log")
        self.worker = Program("jax_worker.py", folder / f"{name}.worker.log", marker="@")
        self.pid: int = 0

    def wait_until_up(self) -> None:
        self.pid = self.worker.answer()["up"]

    def begin(self, do: str, **how: Any) -> None:
        self.worker.tell(do=do, **how)

    def answer(self, timeout: float = ANSWER_SECONDS) -> Answer:
        said = self.worker.answer(timeout)
        return Answer(said.get("done"), said.get("error"), said.get("message", ""), said["at"])

    def interrupt(self) -> None:
        self.worker.tell(do="interrupt")

    def is_alive(self) -> bool:
        return self.worker.process.poll() is None

    def lose(self) -> None:
        """The whole node, at once."""
        self.worker.process.kill()
        self.launcher.process.kill()
        self.worker.kill()
        self.launcher.kill()


@dataclass
class Job:
    """The nodes of a job, and their rounds."""

    folder: Path
    nodes: list[Node] = field(default_factory=list)
    number: int = 0
    started: int = 0

    def add(self, count: int) -> list[Node]:
        added = [Node(f"node-{self.started + each}", self.folder) for each in range(count)]
        self.nodes += added
        self.started += count
        for node in added:
            node.wait_until_up()
        return added

    def coordinators(self, members: Sequence[Node]) -> list[str]:
        """A new round: the first member serves. What each member's worker is told as its coordinator."""
        self.number += 1
        members[0].launcher.tell(do="announce")
        port = members[0].launcher.answer()
        for node in members:
            node.launcher.tell(
                do="round",
                number=self.number,
                processes=len(members),
                host="127.0.0.1",
                port=port,
                serves=node is members[0],
            )
        return [node.launcher.answer() for node in members]

    def enter(self, members: Sequence[Node], timeout: float = 10.0) -> list[Answer]:
        """Form a round of these and take it in."""
        for process, (node, coordinator) in enumerate(zip(members, self.coordinators(members), strict=True)):
            node.begin("enter", coordinator=coordinator, processes=len(members), process=process, timeout=timeout)
        return [node.answer() for node in members]

    def end(self) -> None:
        for node in self.nodes:
            node.worker.end()
            node.launcher.end()


def ask(members: Sequence[Node], do: str, **how: Any) -> list[Any]:
    """What all have done; fails if one could not."""
    for node in members:
        node.begin(do, **how)
    answers = [node.answer() for node in members]
    assert [one.error for one in answers] == [None] * len(members), answers
    return [one.done for one in answers]


def now() -> float:
    return time.monotonic()
