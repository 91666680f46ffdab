"""One process of a flood: ``python -m integration.handlers.flooder KUBECONFIG NAMESPACE WHAT WHICH OF``.

Writes the count of what it did after each `EVERY`, and ends with its standard input. It keeps its connections and reads
no answer's content: whoever floods is not slowed down by our client.
"""

import contextlib
import http.client
import itertools
import json
import ssl
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from kube_rendezvous.resources import MEMBER_PLURAL, member_manifest
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous.resources.timestamps import format_time

RUN = "flooded"
EVERY = 20
CONNECTIONS = 4
MEMBERS = 2100
"""So many made another team's heartbeats rare."""
OTHER_UID = "of-another"
MERGE_PATCH = "application/merge-patch+json"


class Flooder:
    """What a trainer's token can do as fast as it can.

    Args:
        kubeconfig: of the trainer, with a token.
        namespace: where the Rendezvous `RUN` is.
        step: how many do the same.
    """

    def __init__(self, kubeconfig: Path, namespace: str, step: int) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        server = urlsplit(cluster["server"])
        context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._open = lambda: http.client.HTTPSConnection(str(server.hostname), server.port, context=context, timeout=60)
        self._connection = self._open()
        self._token = config["users"][0]["user"]["token"]
        self._namespace, self._step = namespace, step
        self._members = collection_path(MEMBER_PLURAL, namespace)

    def acts(self, what: str) -> Callable[[int], None]:
        """What is done for each number."""
        return {"POST": self.post, "NOWHERE": self.nowhere, "PATCH": self.patch, "MANY": self.many}[what]

    def post(self, number: int) -> None:
        """A stranger after the other."""
        self._ask("POST", self._members, self._member(f"x-{number}"))

    def nowhere(self, number: int) -> None:
        """Members of runs that are not there."""
        self._ask("POST", self._members, self._member(f"n-{number}", rendezvous=f"nobodys-{number % 100}"))

    def patch(self, number: int) -> None:
        """Four strangers, changed again and again."""
        name = f"p-{number % 4}"
        path = object_path(MEMBER_PLURAL, self._namespace, name)
        if self._ask("PATCH", path, {"spec": {"afterRound": number}}) == 404:
            self._ask("POST", self._members, self._member(name))

    def many(self, number: int) -> None:
        """Very many members that beat."""
        name = f"m-{number % MEMBERS}"
        if number < MEMBERS:
            self._ask("POST", self._members, self._member(name, uid=self._uid or self._find_uid()))
            return
        beat = {"spec": {"renewTime": format_time(datetime.now(UTC))}}
        self._ask("PATCH", object_path(MEMBER_PLURAL, self._namespace, name), beat)

    def _find_uid(self) -> str:
        path = object_path("rendezvous", self._namespace, RUN)
        self._uid = str(json.loads(self._answer("GET", path, None)[1])["metadata"]["uid"])
        return self._uid

    _uid = ""

    def _member(self, name: str, rendezvous: str = RUN, uid: str = OTHER_UID) -> dict[str, Any]:
        return member_manifest(
            name=name,
            rendezvous=rendezvous,
            rendezvous_uid=uid,
            address="10.0.0.1",
            port=29500,
            renew_time=datetime.now(UTC),
        )

    def _ask(self, method: str, path: str, body: Any) -> int:
        return self._answer(method, path, body)[0]

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        kind = MERGE_PATCH if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = self._open()
            return 0, b"{}"


def main() -> None:
    """See module."""
    kubeconfig, namespace, what, which, of = sys.argv[1:]
    over = threading.Event()
    done = itertools.count(1)

    def flood(first: int, step: int) -> None:
        act = Flooder(Path(kubeconfig), namespace, step).acts(what)
        for number in itertools.count(first, step):
            if over.is_set():
                return
            act(number)
            count = next(done)
            if count % EVERY == 0:
                sys.stdout.write(f"{count}\n")
                sys.stdout.flush()

    step = int(of) * CONNECTIONS
    firsts = range(int(which) * CONNECTIONS, (int(which) + 1) * CONNECTIONS)
    threads = [threading.Thread(target=flood, args=(first, step)) for first in firsts]
    for thread in threads:
        thread.start()
    with contextlib.suppress(OSError):
        sys.stdin.read()
    over.set()


if __name__ == "__main__":
    main()
