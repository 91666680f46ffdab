"""The launcher's side of `jax_coordinator`: a process that serves JAX's coordination service of each round."""

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from typing import Any

from kube_rendezvous.trainer_process.orphans import children_of_ours

_log = logging.getLogger(__name__)

_PROGRAM = "kube_rendezvous.keeping.jax_coordinator"


class CoordinatorError(RuntimeError):
    """There is no coordination service, and why."""


class CoordinatorProcess:
    """Starts the program, which needs about a second until it can serve; nothing here waits for that but `serve`.

    Start it in a thread that lives as long as this process: the kernel ends the program with the thread that started
    it. It is one node's, and serves when this node is rank 0.
    """

    def __init__(self) -> None:
        with children_of_ours() as ours:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # numpy would start a thread for each core, in a process that computes nothing.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                text=True,
                process_group=0,
            )
            ours.add(self._process.pid)
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._last_words = ""
        self._threads = [
            threading.Thread(target=target, name="jax-coordinator", daemon=True)
            for target in (self._read_answers, self._read_errors)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Of the program; the service of a round is a child of it."""
        return self._process.pid

    def serve(self, round_number: int, processes: int, *, timeout: float) -> int:
        """Serve a coordination service for a round. Those before end later, by silence for those behind a shield.

        Args:
            round_number: of the round.
            processes: how many take part.
            timeout: seconds.

        Returns:
            Its port on 127.0.0.1.

        Raises:
            CoordinatorError: the program has ended, jaxlib is missing, the service cannot be started, or the time is
                over.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"round": round_number, "processes": processes}) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._ended() from None
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise CoordinatorError(
                    f"JAX's coordination service for round {round_number} was not there within {timeout:g} s"
                ) from None
            if answer is None:
                self._answers.put(None)
                raise self._ended()
            if answer.get("round") != round_number:
                continue  # the first line, or the answer to one that was given up
            if "error" in answer:
                raise CoordinatorError(f"JAX's coordination service for round {round_number}: {answer['error']}")
            return int(answer["port"])

    def stop(self) -> None:
        """End the program and the service. More than once: no harm."""
        self._process.kill()
        self._process.wait()
        with children_of_ours() as ours:
            ours.discard(self.pid)
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # a line that nobody will read
                    stream.close()

    def _ended(self) -> CoordinatorError:
        status = self._process.wait()
        self._threads[1].join()
        if "jaxlib" in self._last_words and "ModuleNotFoundError" in self._last_words:
            return CoordinatorError(
                f"jaxlib is not installed for {sys.executable}, which must serve JAX's coordination service: install "
                "jax on every node, for the launcher's Python too"
            )
        return CoordinatorError(
            f"the program that serves JAX's coordination service ended with status {status}: "
            f"{self._last_words or 'it said nothing'}"
        )

    def _read_answers(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self._answers.put(json.loads(line))
            except ValueError:
                _log.debug("jax coordinator: %s", line.rstrip())
        self._answers.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            _log.debug("jax coordinator: %s", line.rstrip())
            if line.strip():
                self._last_words = line.strip()
