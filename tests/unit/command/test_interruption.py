"""Why a running member must stop, in words."""

from dataclasses import replace
from datetime import UTC, datetime

from kube_rendezvous.membership.interruption import Interruption, interruption
from kube_rendezvous.membership.standing import Standpoint, nodes_waiting
from kube_rendezvous.resources import BootstrapStore, Closed, Forming, Rendezvous, RendezvousSpec, RendezvousStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ME = Standpoint("me", "uid", after_round=0, held_round=3, seen_round=3)
STATUS = RendezvousStatus(round=3, ranks=("me", "you"), bootstrap_store=BootstrapStore("me", "10.0.0.7", 4000))
STANDING = Rendezvous("ns", "run", "uid", "1", 1, RendezvousSpec(2, 2), STATUS)
LOST = Forming(4, "HeartbeatLost", "you is lost", interrupts=True, since=NOW)


def under(**status: object) -> Rendezvous:
    return replace(STANDING, status=replace(STATUS, **status))


def test_a_round_that_stands_is_not_interrupted() -> None:
    assert interruption(STANDING, ME) is None
    assert interruption(None, ME) is None


def test_it_says_what_the_operator_says() -> None:
    assert interruption(under(forming=LOST), ME) == Interruption(3, "HeartbeatLost", "you is lost")


def test_newcomers_that_gather_interrupt_nobody() -> None:
    assert interruption(under(forming=replace(LOST, interrupts=False)), ME) is None


def test_a_close_interrupts_only_if_the_round_has_failed() -> None:
    closed = Closed("operator", NOW, "TooManyLosses", "it failed too often", interrupts=True)
    assert interruption(under(closed=closed), ME) == Interruption(3, "Closed", "it failed too often")
    assert interruption(under(closed=replace(closed, interrupts=False)), ME) is None


def test_there_is_always_a_reason_when_there_is_somebody_to_wait_for() -> None:
    cases = [
        (replace(STANDING, uid="another"), ME),
        (STANDING, replace(ME, expelled=True)),
        (under(round=4, ranks=("you", "they")), ME),
        (under(round=2), ME),
    ]
    for rendezvous, me in cases:
        assert nodes_waiting(rendezvous, me) > 0
        found = interruption(rendezvous, me)
        assert found is not None
        assert found.reason
        assert found.message


def test_a_round_that_is_not_known_any_more_was_set_back() -> None:
    found = interruption(under(round=2, forming=LOST), ME)
    assert found is not None
    assert (found.round, found.reason) == (3, "SetBack")
    assert "round 3, which we hold" in found.message
    assert "tells of is round 2" in found.message
