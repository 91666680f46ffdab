"""Where a member stands that is not needed, not wanted, or in a run that was given up."""

from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.membership.standing import (
    ClosedForUs,
    MustRejoin,
    Place,
    SentHome,
    Standing,
    Standpoint,
    Waiting,
    nodes_waiting,
    standing,
)
from kube_rendezvous.resources import BootstrapStore, Closed, Forming, Rendezvous
from kube_rendezvous.resources.failure_policy import QuarantinedPlace
from unit.core.builders import NOW, OTHER_UID, UID, rendezvous, round_of, stands, told

JOINED = Standpoint("b", UID, places=frozenset({"node/gpu-7", "slot/3"}))
RUNNING = replace(JOINED, held_round=3)
WHY = "slot/3 lost 2 members within 600 s and is left out; when it is mended: kubectl …"
GATHERING = Forming(4, "Growth", "m", False, NOW, arrived=1, required=2)


def enough(names: str = "a c", **status: Any) -> Rendezvous:
    """A standing round with the spares that it wants, and b is one too many."""
    return stands(names, max_spares=1, status={"standby": 2, "spares": ("s",), "surplus": ("b",), **status})


def quarantine(place: str = "slot/3", message: str = WHY, names: str = "a c", **status: Any) -> Rendezvous:
    return stands(names, status={"quarantined": (QuarantinedPlace(place, NOW, message),), **status})


def gave_up(**fields: Any) -> Rendezvous:
    closed = Closed("spec.failurePolicy", NOW, "ClosedByFailurePolicy", "3 rounds were formed", **fields)
    return stands("a b", status={"closed": closed})


SENT_HOME = SentHome("round 3 stands with 2 nodes, and no more than spec.standby.max (1) spares stand by")
PLACE = Place(3, 1, 2, BootstrapStore("a", "a.example", 29500), UID)


@pytest.mark.parametrize(
    ("seen", "me", "expected"),
    [
        pytest.param(enough(), JOINED, SENT_HOME, id="one too many"),
        pytest.param(enough(), replace(JOINED, after_round=3), SENT_HOME, id="one too many that was in round 3"),
        pytest.param(
            enough(surplus=()),
            JOINED,
            Waiting("round 3 stands with 2 nodes without us; standing by for the next one", spare=True),
            id="a spare that is wanted",
        ),
        pytest.param(
            enough(surplus=("other",)),
            JOINED,
            Waiting("round 3 stands with 2 nodes without us; standing by for the next one", spare=True),
            id="another one is too many",
        ),
        pytest.param(enough(), RUNNING, MustRejoin(3), id="an earlier verdict says nothing about one that comes back"),
        pytest.param(
            quarantine(), JOINED, Waiting(f"no round takes us: {WHY}", spare=True), id="its slot is quarantined"
        ),
        pytest.param(
            quarantine("node/gpu-7", ""),
            JOINED,
            Waiting("no round takes us: node/gpu-7 is quarantined", spare=True),
            id="its node is quarantined, and no sentence says why",
        ),
        pytest.param(
            quarantine("slot/4"),
            JOINED,
            Waiting("round 3 stands with 2 nodes without us; standing by for the next one", spare=True),
            id="another slot is quarantined",
        ),
        pytest.param(
            quarantine(forming=GATHERING), JOINED, Waiting(f"no round takes us: {WHY}", spare=True), id="others gather"
        ),
        pytest.param(
            quarantine(forming=told()),
            JOINED,
            Waiting(f"no round takes us: {WHY}"),
            id="the others form a round without it",
        ),
        pytest.param(
            rendezvous(replace(quarantine().status, round=0, ranks=(), bootstrap_store=None)),
            JOINED,
            Waiting(f"no round takes us: {WHY}"),
            id="there was no round yet",
        ),
        pytest.param(quarantine(names="a b"), JOINED, PLACE, id="a place in a round that stands is taken all the same"),
        pytest.param(gave_up(interrupts=True), RUNNING, ClosedForUs("3 rounds were formed"), id="the run was given up"),
    ],
)
def test_standing(seen: Rendezvous, me: Standpoint, expected: Standing) -> None:
    assert standing(seen, me) == expected


@pytest.mark.parametrize(
    ("seen", "me", "expected"),
    [
        pytest.param(gave_up(interrupts=True), RUNNING, 1, id="its round has failed and no other follows"),
        pytest.param(gave_up(), RUNNING, 0, id="closed: what runs may finish"),
        pytest.param(gave_up(interrupts=True), JOINED, 0, id="it runs nothing"),
        pytest.param(replace(gave_up(interrupts=True), uid=OTHER_UID), RUNNING, 0, id="another run was given up"),
        pytest.param(quarantine(names="a b"), RUNNING, 0, id="a quarantine stops nobody"),
        pytest.param(enough("a b"), RUNNING, 0, id="spares concern nobody who runs"),
    ],
)
def test_nodes_waiting(seen: Rendezvous, me: Standpoint, expected: int) -> None:
    assert nodes_waiting(seen, me) == expected


def test_a_new_incarnation_sits_where_the_old_one_sat() -> None:
    assert RUNNING.joined("new", rendezvous(round_of("a"))).places == JOINED.places
