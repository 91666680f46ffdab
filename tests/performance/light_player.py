"""Light watchers in the place of real handlers: the same requests over the same number of connections, and no more.

    python -m performance.light_player --kubeconfig FILE

Speaks as `performance.player` does. Each member POSTs its Member and watches its Rendezvous over one TLS connection;
for its heartbeats, its slice and to join again it opens a second one, which members of a process share where the
machine lets none have so many files open (see `may_have_two_each`). It is no handler: it has no thread, no time-out
and no second try, and looks into the status only as far as it must to know that it has a place, or is told to stop. A
process plays thousands; its figures of CPU are not those of real members.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import ssl
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from kube_rendezvous.cluster.credentials import load_configuration
from kube_rendezvous.resources import MEMBER_PLURAL, RENDEZVOUS_PLURAL, SLICE_PLURAL, member_manifest
from kube_rendezvous.resources.names import collection_path, object_path
from kube_rendezvous.resources.rendezvous_slice import slice_index, slice_name
from kube_rendezvous.resources.timestamps import format_time
from performance.spent import Spent

PATIENCE_SECONDS = 300.0
JOIN_AGAIN_SECONDS = 240.0
_LINE_BYTES = 8 << 20
_HANDSHAKES_AT_ONCE = 64
_SHARED = 256
_OTHER_FILES = 1000
_INITIAL = {
    "watch": "1",
    "allowWatchBookmarks": "true",
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
}


class Server:
    """Where the API server is, and who we are."""

    def __init__(self, kubeconfig: str) -> None:
        configuration, _ = load_configuration(kubeconfig, None)
        address = urlsplit(configuration.host)
        assert address.hostname is not None
        self.host, self.port = address.hostname, address.port or 443
        self.read = self.written = 0  # bytes, without TLS
        self.tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            self.tls.load_cert_chain(configuration.cert_file, configuration.key_file)
        token = configuration.api_key.get("authorization") or configuration.api_key.get("BearerToken") or ""
        self.authorization = token if token.startswith("Bearer ") or not token else f"Bearer {token}"


class Wire:
    """One connection with one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Server) -> None:
        self._reader, self._writer, self._server = reader, writer, server

    @classmethod
    async def open(cls, server: Server) -> "Wire":
        """Connect."""
        return cls(*await asyncio.open_connection(server.host, server.port, ssl=server.tls, limit=_LINE_BYTES), server)

    async def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> int:
        """Send a request, read the head of its answer.

        Returns:
            The length of its body; -1: in chunks.
        """
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._server.host}", "Accept: application/json"]
        if self._server.authorization:
            head.append(f"Authorization: {self._server.authorization}")
        if body is not None:
            head += [f"Content-Type: {content_type}", f"Content-Length: {len(data)}"]
        request = "\r\n".join([*head, "", ""]).encode() + data
        self._server.written += len(request)
        self._writer.write(request)
        answered = await self._reader.readuntil(b"\r\n\r\n")
        self._server.read += len(answered)
        status, *fields = answered.decode().split("\r\n")
        length = next((int(f.partition(":")[2]) for f in fields if f.lower().startswith("content-length:")), -1)
        if not status.split(" ", 2)[1].startswith("2"):
            raise OSError(f"{method} {path}: {status} {(await self._reader.read(500))!r}")
        return length

    async def answer(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """Send a request; its whole answer."""
        length = await self.send(method, path, body, content_type)
        data = (
            b"".join([chunk async for chunk in self._chunks()])
            if length < 0
            else await self._reader.readexactly(length)
        )
        return json.loads(data)

    async def lines(self, path: str, query: dict[str, str]) -> Any:
        """Watch: each event."""
        await self.send("GET", f"{path}?{urlencode(query)}")
        rest = b""
        async for chunk in self._chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield json.loads(line)

    async def _chunks(self) -> Any:
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            self._server.read += size
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


class Second:
    """A second connection, opened when it is first needed; whoever has entered it has it for itself."""

    def __init__(self, server: Server) -> None:
        self._server, self._wire, self._lock = server, None, asyncio.Lock()

    async def __aenter__(self) -> Wire:
        await self._lock.acquire()
        try:
            self._wire = self._wire or await Wire.open(self._server)
        except BaseException:
            self._lock.release()
            raise
        return self._wire

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()

    def close(self) -> None:
        """Hang up."""
        if self._wire is not None:
            self._wire.close()


def may_have_two_each(nodes: int) -> bool:
    """Whether a process such as the API server may have two connections open to each of so many members."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return most == resource.RLIM_INFINITY or 2 * nodes + _OTHER_FILES <= most


class Member:
    """One light watcher."""

    def __init__(
        self,
        server: Server,
        namespace: str,
        rendezvous: str,
        number: int,
        handshakes: asyncio.Semaphore,
        second: Second,
    ) -> None:
        self._server, self._namespace, self._rendezvous, self._number = server, namespace, rendezvous, number
        self._handshakes = handshakes
        self.name = f"light-{number}-{os.getpid()}"
        self._incarnations = 0
        self._round = 0
        self._second = second
        self._watch: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read, self._found = "", False  # digest of the slice that was read, whether it names us
        self._status: dict[str, Any] = {}
        self._wished = 0  # seconds between heartbeats, as long as the status says nothing
        self._beating: asyncio.Task[None] | None = None
        self.gone = False
        self.requests = 0
        self.placed: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.told: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def join(self, uid: str) -> None:
        """POST the Member, then watch over the same connection."""
        async with self._handshakes:
            wire = await Wire.open(self._server)
            await self._post(wire, uid)
        self._watch = asyncio.create_task(self._follow(wire))

    async def join_again(self, uid: str) -> None:
        """Over a second connection: PATCH, or, for one that was deleted, POST."""
        async with self._handshakes, self._second as wire:
            if self.gone:
                await self._post(wire, uid)
                self.gone = False
            else:
                await self._patch(wire, {"afterRound": self._round, "port": 29500})

    def arm(self) -> None:
        """From now on it waits to be told, and then for its next place."""
        loop = asyncio.get_running_loop()
        self.told, self.placed = loop.create_future(), loop.create_future()
        self.gone = False

    def stop(self) -> None:
        """End without a word."""
        for task in (self._watch, self._beating):
            if task is not None:
                task.cancel()
        self._second.close()

    async def _patch(self, wire: Wire, wish: dict[str, Any]) -> None:
        path = object_path(MEMBER_PLURAL, self._namespace, self.name)
        body = {"spec": {**wish, "renewTime": format_time(datetime.now(UTC))}}
        await wire.answer("PATCH", path, body, "application/merge-patch+json")
        self.requests += 1

    async def _beat(self) -> None:
        """Who is silent for three intervals is taken for lost, and a busy machine needs longer for thousands."""
        while True:
            await asyncio.sleep(random.uniform(0.8, 1.0) * (self._status.get("heartbeatSeconds") or self._wished))
            async with self._second as wire:
                if not self.gone:
                    await self._patch(wire, {})

    async def _post(self, wire: Wire, uid: str) -> None:
        self._incarnations += 1
        self.name = f"light-{self._number}-{os.getpid()}-{self._incarnations}"
        manifest = member_manifest(
            name=self.name,
            rendezvous=self._rendezvous,
            rendezvous_uid=uid,
            address="127.0.0.1",
            port=29500,
            renew_time=datetime.now(UTC),
            slot=str(self._number),
        )
        await wire.answer("POST", collection_path(MEMBER_PLURAL, self._namespace), manifest)
        self.requests += 1

    async def _follow(self, wire: Wire) -> None:
        path = collection_path(RENDEZVOUS_PLURAL, self._namespace)
        query = {"fieldSelector": f"metadata.name={self._rendezvous}", "timeoutSeconds": "3600", **_INITIAL}
        self.requests += 1
        try:
            async for event in wire.lines(path, query):
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._wished = event["object"]["spec"]["heartbeatSeconds"]
                    self._see(event["object"].get("status") or {})
                    if self._beating is None:
                        self._beating = asyncio.create_task(self._beat())
        finally:
            wire.close()

    def _see(self, status: dict[str, Any]) -> None:
        self._status = status
        if status.get("closed") and not self.closed.done():
            self.closed.set_result(time.monotonic())
        forming, number = status.get("forming") or {}, status.get("round", 0)
        if self._round and not self.told.done() and (number > self._round or forming.get("interrupts")):
            # Without an own watch of Members a deleted one could not know; here it sees that it is missing.
            self.told.set_result(time.monotonic())
        if number <= self._round or forming.get("interrupts"):
            return
        slices = status.get("slices")
        if slices is None:
            self._has_a_place(number, self.name in (status.get("ranks") or ()))
        elif (digest := slices["members"][slice_index(self.name, len(slices["members"]))]) == self._read:
            self._has_a_place(number, self._found)
        elif self._reading is None:
            self._reading = asyncio.create_task(self._read_slice(number, digest))

    async def _read_slice(self, number: int, digest: str) -> None:
        async with self._handshakes, self._second as wire:
            path = object_path(SLICE_PLURAL, self._namespace, slice_name(self._rendezvous, digest))
            self.requests += 1
            self._found = self.name in (await wire.answer("GET", path))["spec"].get("members", ())
        self._read = digest
        self._has_a_place(number, self._found)
        self._reading = None
        self._see(self._status)  # the newest, which may be another one by now

    def _has_a_place(self, number: int, true: bool) -> None:
        if true:
            self._round = number
            if not self.placed.done():
                self.placed.set_result(time.monotonic())


class LightPlayer:
    """Answers each command as `performance.player.Player` does."""

    def __init__(self, kubeconfig: str) -> None:
        self._server = Server(kubeconfig)
        self._members: list[Member] = []
        self._handshakes = asyncio.Semaphore(_HANDSHAKES_AT_ONCE)
        self._where = ("", "")

    async def prepare(self, namespace: str, rendezvous: str, first: int, count: int, nodes: int) -> dict[str, Any]:
        """Make so many."""
        self._where = (namespace, rendezvous)
        numbers = range(first, first + count)
        seconds = [Second(self._server) for _ in range(count if may_have_two_each(nodes) else min(count, _SHARED))]
        self._members = [
            Member(self._server, namespace, rendezvous, n, self._handshakes, seconds[n % len(seconds)]) for n in numbers
        ]
        return {}

    async def join(self) -> dict[str, Any]:
        """Let all join."""
        before, began = self._spent(), time.monotonic()
        uid = await self._uid()
        await asyncio.gather(*(member.join(uid) for member in self._members))
        ended = max(await asyncio.gather(*(member.placed for member in self._members)))
        return {"began": began, "ended": ended, "names": self._names(), **before.until(self._spent())}

    async def arm(self, victim: str) -> dict[str, Any]:
        """Let each wait until it is told."""
        for member in self._members:
            member.arm()
            member.gone = member.name == victim
        self._before = self._spent()
        return {}

    async def joined_again(self) -> dict[str, Any]:
        """Wait until all have been told, and have joined again.

        Where some have not within the limit, ``unfinished`` says so, and times, bytes and CPU are those until then.
        """
        uid = await self._uid()

        async def again(member: Member) -> None:
            await member.told
            await member.join_again(uid)
            await member.placed

        unfinished = False
        try:
            await asyncio.wait_for(asyncio.gather(*map(again, self._members)), JOIN_AGAIN_SECONDS)
        except TimeoutError:
            unfinished = True
        now = time.monotonic()
        told, ended = (
            max(one.result() if one.done() and not one.cancelled() else now for one in futures)
            for futures in ([member.told for member in self._members], [member.placed for member in self._members])
        )
        spent = self._before.until(self._spent())
        return {"told": told, "ended": ended, "unfinished": unfinished, "names": self._names(), **spent}

    async def see_closed(self) -> dict[str, Any]:
        """Wait until all see that the Rendezvous is closed. `ended`: the moment when the last did."""
        return {"ended": max(await asyncio.gather(*(member.closed for member in self._members)))}

    async def leave(self) -> dict[str, Any]:
        """End all of them."""
        for member in self._members:
            member.stop()
        self._members = []
        return {}

    async def _uid(self) -> str:
        wire = await Wire.open(self._server)
        answer = await wire.answer("GET", object_path(RENDEZVOUS_PLURAL, *self._where))
        wire.close()
        return str(answer["metadata"]["uid"])

    def _names(self) -> list[str]:
        return [member.name for member in self._members]

    def _spent(self) -> Spent:
        # asyncio reads sockets in a way that /proc does not count.
        counted = Spent.now(sum(member.requests for member in self._members))
        return replace(counted, read=self._server.read, written=self._server.written)


async def _play(kubeconfig: str) -> None:
    player, loop = LightPlayer(kubeconfig), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        try:
            answer = await asyncio.wait_for(getattr(player, command.pop("do"))(**command), PATIENCE_SECONDS)
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201


def main() -> None:
    """Play until the standard input ends."""
    parser = argparse.ArgumentParser(prog="performance.light_player", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kubeconfig", required=True)
    asyncio.run(_play(parser.parse_args().kubeconfig))


if __name__ == "__main__":
    main()
