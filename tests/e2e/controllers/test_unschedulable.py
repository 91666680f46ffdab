"""A plain Indexed Job of four where three fit: nobody waits for the fourth, which joins when there is room."""

import json
import time
from collections.abc import Iterator

import pytest

from e2e.controllers.resizing import LIMIT, condition, no_false_alarm, one_round_of
from e2e.eventually import eventually
from e2e.example_overlay import Patch, add, replace
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.kubectl import Kubectl
from e2e.running_example import RunningExample

CONTROLLERS = ()
SEAT = "example.com/seat"
POD = "/spec/template/spec/containers/0"
ONE_SEAT_EACH = Patch(
    "Job",
    (
        replace(f"{POD}/args/6", "--steps=0"),
        add(f"{POD}/resources/requests/{SEAT.replace('/', '~1')}", "1"),
        add(f"{POD}/resources/limits", {SEAT: "1"}),
    ),
)
HELD_UP_SECONDS = 10.0  # generous; a last call is 30 s


@pytest.fixture
def seats(examples: Examples) -> Iterator[None]:
    """Three on the only node, for the test."""
    set_seats(examples.kubectl, 3)
    yield
    set_seats(examples.kubectl, 0)


def set_seats(kubectl: Kubectl, count: int) -> None:
    """What an administrator says of a node: it has so many of a resource."""
    (node,) = kubectl.json("get", "nodes")["items"]
    body = json.dumps({"status": {"capacity": {SEAT: str(count)}}})
    kubectl("patch", "node", node["metadata"]["name"], "--subresource=status", "--type=merge", "-p", body)


@pytest.mark.usefixtures("seats")
def test_the_first_round_does_not_wait_for_a_pod_without_a_place(examples: Examples, figures: Figures) -> None:
    with examples.start("torchrun-job", [ONE_SEAT_EACH]) as run:
        run.wait("three that have joined", lambda it: arrived(run) == 3, LIMIT)
        began = time.monotonic()
        run.wait_for_round(3, LIMIT)
        seconds = time.monotonic() - began
        figures.add("Job of 4 where 3 fit: from the third join to the first round", seconds, "s")
        assert seconds < HELD_UP_SECONDS
        assert run.rendezvous.status.round == 1
        eventually(lambda: "Insufficient" in condition(run, "PodsHeldUp"), "the fourth is named", LIMIT)
        with one_round_of(run, 4, figures, "room for the fourth: until the round of 4"):
            set_seats(examples.kubectl, 4)
        no_false_alarm(run)


def arrived(run: RunningExample) -> int:
    """How many wait for the first round, or are in it."""
    status = run.rendezvous.status
    return status.forming.arrived if status.forming is not None else status.world_size
