"""Tries what cannot be read: makes a Rendezvous, and pods of the training image, waits by watches, and removes them."""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.resources import API_VERSION, RENDEZVOUS_KIND, RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path, object_path
from kubectl_rendezvous.doctor.probe_pods import (
    RUN_LABEL,
    address_of,
    cannot_start,
    has_ended,
    picks_users,
    pod_manifest,
    read_probe,
)
from kubectl_rendezvous.doctor.surroundings import Answer, ProbedPod
from kubectl_rendezvous.reading import Reader
from kubectl_rendezvous.watched_collection import WatchedCollection

ANSWER_SECONDS = 15.0
"""An operator that runs answers within a second; one that has just taken over within its lease time."""

_CALL_SECONDS = 20.0


def try_operator(reader: Reader) -> Answer:
    """Make a Rendezvous and see whether an operator looks at it."""
    name = f"doctor-{secrets.token_hex(3)}"
    body = {"apiVersion": API_VERSION, "kind": RENDEZVOUS_KIND, "metadata": {"name": name}, "spec": {"minNodes": 1}}
    began = time.monotonic()
    try:
        reader.connection.request("POST", collection_path(RENDEZVOUS_PLURAL, reader.namespace), body=body)
    except ApiFailureError as failure:
        return Answer(None, ANSWER_SECONDS, failure.message or str(failure))
    try:
        found = reader.wait_until(name, lambda r: r.status.observed_generation > 0, ANSWER_SECONDS)
        return Answer(None if found is None else time.monotonic() - began, ANSWER_SECONDS)
    finally:
        with contextlib.suppress(ApiFailureError):
            reader.connection.request("DELETE", object_path(RENDEZVOUS_PLURAL, reader.namespace, name))


def try_image(
    reader: Reader, image: str, account: str, pull_secrets: Sequence[str], seconds: float
) -> tuple[ProbedPod, ProbedPod]:
    """Run two pods of the image, of which one calls the other.

    Args:
        seconds: for both together, the pull of the image included.
    """
    run = secrets.token_hex(3)
    listener, caller = f"doctor-{run}-listens", f"doctor-{run}-calls"
    port = 20000 + secrets.randbelow(10000)
    pods = _Pods(reader.connection, reader.namespace, run)
    end = time.monotonic() + seconds
    numbered = True
    with contextlib.suppress(ApiFailureError):
        numbered = not picks_users(reader.connection.request("GET", f"/api/v1/namespaces/{reader.namespace}"))

    def manifest(name: str, *arguments: str) -> dict[str, Any]:
        return pod_manifest(name, run, image, account, pull_secrets, arguments, numbered=numbered)

    with pods:
        refused = pods.make(manifest(listener, "listen", str(port), str(seconds)))
        if refused:
            return ProbedPod(listener, {}, hold=refused), ProbedPod(caller, {}, hold=refused)
        pods.wait(listener, lambda obj: bool(address_of(obj)) or has_ended(obj) or cannot_start(obj), end)
        if (address := address_of(pods.newest(listener) or {})) != "":
            pods.make(manifest(caller, "call", address, str(port), str(_CALL_SECONDS)))
            pods.wait(caller, lambda obj: has_ended(obj) or cannot_start(obj), end)
            pods.wait(listener, has_ended, min(end, time.monotonic() + 5.0))
        moment = reader.connection.server_facts().time
        now = moment.timestamp() + 1.0 if moment is not None else None  # whole seconds
        return read_probe(listener, pods.newest(listener), now), read_probe(caller, pods.newest(caller), now)


class _Pods:
    """The pods of one run; they are deleted when the block ends."""

    def __init__(self, connection: Connection, namespace: str, run: str) -> None:
        self._connection = connection
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._news = threading.Event()
        self._seen = WatchedCollection(self._news)
        self._made: list[str] = []
        selector = {"labelSelector": f"{RUN_LABEL}={run}"}
        self._watcher = Watcher(connection, self._path, selector, self._seen, name="watch of the doctor's pods")

    def __enter__(self) -> None:
        self._watcher.start()

    def __exit__(self, *_: object) -> None:
        self._watcher.stop()
        for name in self._made:
            with contextlib.suppress(ApiFailureError):
                body = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
                self._connection.request("DELETE", f"{self._path}/{name}", body=body)

    def make(self, manifest: Mapping[str, Any]) -> str:
        """Make one; why that was refused, "" if it was not."""
        try:
            self._connection.request("POST", self._path, body=manifest)
        except ApiFailureError as failure:
            return failure.message or str(failure)
        self._made.append(manifest["metadata"]["name"])
        return ""

    def newest(self, name: str) -> Mapping[str, Any] | None:
        """The pod as it is now."""
        return next((obj for obj in self._seen.objects if obj["metadata"]["name"] == name), None)

    def wait(self, name: str, holds: Callable[[Mapping[str, Any]], bool], end: float) -> None:
        """Wait until something holds of it, or until ``end`` (monotonic)."""
        while not ((obj := self.newest(name)) is not None and holds(obj)) and (left := end - time.monotonic()) > 0:
            self._news.wait(left)
            self._news.clear()
