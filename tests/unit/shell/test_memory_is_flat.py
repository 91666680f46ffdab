"""kopf's events are reference cycles: they must not pile up before the garbage collector frees them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EVENTS = 10_000
LIMIT_SECONDS = 120

# In a process of its own: what a test run has loaded would count, and it changes the garbage collector for good.
SCRIPT = f"""
import collections, gc, json, weakref
import kopf
from kube_rendezvous_operator.__main__ import main
from kube_rendezvous_operator.shell.service import Service

STATUS = {{"ranks": ["a"] * 8, "conditions": [{{"type": "Formed"}}] * 4, "history": [{{"number": 1}}] * 10}}
TEXT = json.dumps({{"metadata": {{"name": "run", "labels": {{}}}}, "spec": {{"minNodes": 8}}, "status": STATUS}})

def handle_events(service):
    traversed = len(gc.get_objects())
    alive, recent, most = {{}}, collections.deque(maxlen=300), 0
    for number in range({EVENTS}):
        body = kopf.Body(json.loads(TEXT))
        alive[number] = weakref.ref(body, lambda _, number=number: alive.pop(number))
        recent.append(body)
        del body
        most = max(most, len(alive) - len(recent))
    print(json.dumps({{"loaded by the start": traversed, "events that are over": most}}))
    return 0

Service.run = handle_events
raise SystemExit(main([]))
"""

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: nobody, user: {token: secret}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
"""


@pytest.fixture(scope="module")
def most_kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the garbage collector had to look after, when the operator had started and handled many events."""
    kubeconfig: Path = tmp_path_factory.mktemp("memory") / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    counted: dict[str, int] = json.loads(ended.stdout)
    return counted


def test_what_the_start_has_loaded_is_no_work_for_the_garbage_collector(most_kept: dict[str, int]) -> None:
    assert most_kept["loaded by the start"] < 5000


def test_events_that_are_over_do_not_pile_up(most_kept: dict[str, int]) -> None:
    assert most_kept["events that are over"] < EVENTS / 10
