"""A pod in small: a sidecar, and the folder and the port that it shares with its trainer."""

import http.client
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.command.wrapped_node import WrappedNode, ask
from integration.handlers.eventually import eventually


@dataclass(frozen=True)
class SidecarNode:
    """A running sidecar.

    Attributes:
        node: its process.
        folder: that it shares with its trainer.
        port: on which it serves HTTP.
    """

    node: WrappedNode
    folder: Path
    port: int

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
        """Status and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()

    def said(self) -> dict[str, Any]:
        """What is in round.json; {} before there is one."""
        try:
            said: dict[str, Any] = json.loads((self.folder / "round.json").read_text())
        except FileNotFoundError:
            return {}
        return said

    def until(self, true: Callable[[dict[str, Any]], Any], what: str, seconds: float = 60.0) -> dict[str, Any]:
        """Wait until round.json says so, and return it."""
        try:
            eventually(lambda: true(self.said()), f"{self.node.name}: {what}", seconds)
        except AssertionError as error:
            error.add_note(f"{self.said()}\n{self.node.log}")
            raise
        return self.said()

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `kube-rendezvous` as the trainer's container would."""
        return ask(*arguments, KUBE_RENDEZVOUS_DIR=str(self.folder), KUBE_RENDEZVOUS_LISTEN=f"127.0.0.1:{self.port}")

    def shell(self, script: str) -> str:
        """What a trainer prints that has nothing but `sh` and the folder."""
        done = subprocess.run(
            ["sh", "-euc", f". '{self.folder}/round.env'\n{script}"],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout.strip()
