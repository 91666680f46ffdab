"""The least that a client can do joins as a handler does: the same body, the same rank."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kube_rendezvous.resources import member_manifest
from kube_rendezvous.resources.rank_keys import rank_keys, rank_keys_to_lines
from performance.floor_player import FloorError, member_body, rank_in

NAMES = [f"node-{number}" for number in range(300)]


def event(status: Mapping[str, Any]) -> bytes:
    rendezvous = {"metadata": {"managedFields": [{"f:ranks": {}}]}, "status": status}
    return json.dumps({"type": "MODIFIED", "object": rendezvous}, separators=(",", ":")).encode() + b"\n"


def in_slices(more: Mapping[str, Any]) -> bytes:
    return event({"round": 1, "slices": {"members": ["digest"], **more}})


def test_it_posts_what_a_handler_posts() -> None:
    body = member_body("node-0", "run", "0")
    handlers = member_manifest(
        name="node-0",
        rendezvous="run",
        rendezvous_uid="",
        address="127.0.0.1",
        port=29500,
        renew_time=datetime.now(UTC),
        slot="0",
    )
    for one in (body, handlers):
        one["spec"]["renewTime"] = len(one["spec"]["renewTime"])
    assert body == handlers


@pytest.mark.parametrize(
    "line",
    [event({"round": 1, "ranks": NAMES}), in_slices({"rankKeys": rank_keys_to_lines(rank_keys(NAMES))})],
    ids=["names", "keys"],
)
def test_it_finds_its_rank_and_that_of_nobody_else(line: bytes) -> None:
    assert [rank_in(line, name) for name in ("node-0", "node-299", "stranger")] == [0, 299, None]


def test_it_waits_while_nobody_has_a_rank() -> None:
    assert rank_in(event({"round": 0, "forming": {"waitingFor": ["node-0"]}}), "node-0") is None


def test_a_round_that_tells_ranks_in_slices_only_is_too_large_for_it() -> None:
    with pytest.raises(FloorError, match="1,000"):
        rank_in(in_slices({}), "node-0")


def test_it_needs_the_standard_library_only() -> None:
    loaded = "import sys, performance.floor_player; print([n for n in sys.modules if n.split('.')[0] in sys.argv[1:]])"
    command = [sys.executable, "-c", loaded, "kubernetes", "urllib3", "yaml", "kube_rendezvous"]
    asked = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"
