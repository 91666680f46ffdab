"""The least that a client in Python does to join: below its own CPU and number of requests no client can go.

    python -m performance.floor_player --kubeconfig FILE

Speaks as `performance.player` does, of whose commands it knows `prepare` and `join`. Standard library only, no thread:
each member makes a TLS handshake of its own, POSTs the same Member as a handler does, and watches its Rendezvous over
the same connection until its rank is there. It has no time-out of its own, no second try and no heartbeat, and parses
no status before one tells ranks. What it costs the API server is no bound: that depends on how many come at a time, and
was measured above that of handlers. For rounds whose status does: up to 1,000 members.
"""

import argparse
import hashlib
import json
import os
import ssl
import time
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from performance.commands import answer_commands
from performance.spent import Spent

PATIENCE_SECONDS = 300.0
_GROUP = "rendezvous.dev/v1alpha1"
_SAYS_RANKS = (b'"ranks":[', b'"slices":{')
_KEY_BYTES = 8


class FloorError(Exception):
    """The floor cannot be played here; the text says why."""


class FloorMember:
    """One member, with a connection of its own.

    Args:
        connection: not open yet.
        authorization: header of that name.
        namespace, rendezvous: where it joins.
        number: its slot.
    """

    def __init__(
        self, connection: HTTPSConnection, authorization: str, namespace: str, rendezvous: str, number: int
    ) -> None:
        self.name = f"floor-{number}-{os.getpid()}"
        self._connection, self._rendezvous, self._slot = connection, rendezvous, str(number)
        self._headers = {"Authorization": authorization, "Content-Type": "application/json"}
        self._path = f"/apis/{_GROUP}/namespaces/{namespace}"

    def post(self) -> None:
        """Connect and POST the Member; the answer is not read yet."""
        body = json.dumps(member_body(self.name, self._rendezvous, self._slot), separators=(",", ":"))
        self._connection.request("POST", f"{self._path}/rendezvousmembers", body, self._headers)

    def watch(self) -> None:
        """Read the answer, ask for the watch, whose answer is not read yet.

        Raises:
            FloorError: the API server refused the Member.
        """
        _accepted(self._connection.getresponse()).read()
        query = {
            "fieldSelector": f"metadata.name={self._rendezvous}",
            "timeoutSeconds": "3600",
            "watch": "1",
            "allowWatchBookmarks": "true",
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
        }
        self._connection.request("GET", f"{self._path}/rendezvous?{urlencode(query)}", headers=self._headers)

    def wait_for_rank(self) -> int:
        """Read the watch until the rank is there.

        Raises:
            FloorError: the watch was refused or has ended, or the status does not tell ranks.
        """
        watch = _accepted(self._connection.getresponse())
        for line in iter(watch.readline, b""):
            rank = rank_in(line, self.name)
            if rank is not None:
                return rank
        raise FloorError(f"the watch of {self._rendezvous} ended before {self.name} had a rank")

    def hang_up(self) -> None:
        """Close the connection."""
        self._connection.close()


class FloorPlayer:
    """Answers each command as `performance.player.Player` does.

    Args:
        kubeconfig: written as JSON, with a token, as that of the local control plane is.
    """

    def __init__(self, kubeconfig: Path) -> None:
        content = json.loads(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        address = urlsplit(cluster["server"])
        assert address.hostname is not None
        self._host, self._port = address.hostname, address.port or 443
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._authorization = f"Bearer {user['token']}"
        self._members: list[FloorMember] = []

    def prepare(self, namespace: str, rendezvous: str, first: int, count: int, nodes: int) -> dict[str, Any]:
        """Make so many. No member sends anything yet."""
        self._load_all()
        self._members = [
            FloorMember(self._connection(), self._authorization, namespace, rendezvous, number)
            for number in range(first, first + count)
        ]
        return {}

    def join(self) -> dict[str, Any]:
        """Let all join: each step of all before the next, so that the API server has many at a time, as of handlers."""
        before, began = Spent.now(0), time.monotonic()
        for member in self._members:
            member.post()
        for member in self._members:
            member.watch()
        for member in self._members:
            member.wait_for_rank()
        ended, spent = time.monotonic(), before.until(Spent.now(2 * len(self._members)))
        for member in self._members:
            member.hang_up()
        return {"began": began, "ended": ended, "names": [member.name for member in self._members], **spent}

    def _connection(self) -> HTTPSConnection:
        return HTTPSConnection(self._host, self._port, context=self._tls, timeout=PATIENCE_SECONDS)

    def _load_all(self) -> None:
        """The first request of a process imports codecs and more: that is no member's cost."""
        connection = self._connection()
        connection.request("GET", "/version", headers={"Authorization": self._authorization})
        _accepted(connection.getresponse()).read()
        connection.close()


def member_body(name: str, rendezvous: str, slot: str) -> dict[str, Any]:
    """As `kube_rendezvous.resources.member_manifest` makes it for a handler outside a pod that joins at first."""
    return {
        "apiVersion": _GROUP,
        "kind": "RendezvousMember",
        "metadata": {"name": name},
        "spec": {
            "rendezvous": rendezvous,
            "address": "127.0.0.1",
            "port": 29500,
            "afterRound": 0,
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "readsSlices": True,
            "slot": slot,
        },
    }


def rank_in(event: bytes, name: str) -> int | None:
    """The rank that a line of the watch gives a member; None: none yet.

    Raises:
        FloorError: the round is so large that only its slices tell ranks.
    """
    if not any(sign in event for sign in _SAYS_RANKS):
        return None
    status: Mapping[str, Any] = json.loads(event)["object"]["status"]
    if "ranks" in status:
        return status["ranks"].index(name) if name in status["ranks"] else None
    lines = status["slices"].get("rankKeys")
    if not lines:
        raise FloorError("a round of so many tells ranks in its slices only; the floor is for up to 1,000 members")
    keys = b"".join(map(b64decode, lines))
    key = hashlib.sha256(name.encode()).digest()[_KEY_BYTES : 2 * _KEY_BYTES]
    return next((at // _KEY_BYTES for at in range(0, len(keys), _KEY_BYTES) if keys.startswith(key, at)), None)


def _accepted(response: HTTPResponse) -> HTTPResponse:
    if response.status >= 300:
        raise FloorError(f"{response.status} {response.reason}: {response.read(500)!r}")
    return response


def main() -> None:
    """Play until the standard input ends."""
    parser = argparse.ArgumentParser(prog="performance.floor_player", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kubeconfig", required=True, type=Path)
    answer_commands(FloorPlayer(parser.parse_args().kubeconfig))


if __name__ == "__main__":
    main()
