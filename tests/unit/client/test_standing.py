"""Where a member stands, from its own state and the newest Rendezvous alone."""

from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.membership.standing import (
    BeingDeleted,
    ClosedForUs,
    MustCreate,
    MustJoin,
    MustRejoin,
    Place,
    Standing,
    Standpoint,
    Waiting,
    holds_a_place,
    is_superseded,
    nodes_waiting,
    standing,
)
from kube_rendezvous.resources import BootstrapStore, Closed, Forming, Rendezvous, RendezvousSpec
from unit.core.builders import NOW, OTHER_UID, UID, rendezvous, round_of, stands, told

STORE = BootstrapStore("a", "a.example", 29500)
PLACE = Place(3, 1, 2, STORE, UID)

JOINED = Standpoint("b", UID)
RUNNING = JOINED.took(PLACE)
BACK = replace(RUNNING, after_round=3)


def gathering(**fields: Any) -> Forming:
    """Newcomers gather beside a round that goes on."""
    standard: dict[str, Any] = {"round": 4, "reason": "Growth", "message": "m", "interrupts": False, "since": NOW}
    return Forming(**(standard | fields))


def first_round(**fields: Any) -> Rendezvous:
    """No round was formed yet."""
    forming = gathering(round=1, reason="FirstRound", required=2, **fields)
    return rendezvous(replace(rendezvous().status, forming=forming))


def closed(reopens: bool = False, **spec: Any) -> Rendezvous:
    return stands("a b", status={"closed": Closed("a", NOW, "ClosedByMember", "closed by a: done", reopens)}, **spec)


@pytest.mark.parametrize(
    ("seen", "me", "expected"),
    [
        pytest.param(None, Standpoint(), MustCreate(by_client=False), id="there is none and never was"),
        pytest.param(
            None, Standpoint("b", UID, made_by_client=True), MustCreate(by_client=True), id="a client's is gone"
        ),
        pytest.param(
            replace(stands("a b"), being_deleted=True), JOINED, BeingDeleted("it is being deleted"), id="it goes"
        ),
        pytest.param(
            replace(stands("a b"), being_deleted=True, finalizers=("a.example/x", "b.example/y")),
            Standpoint(),
            BeingDeleted(
                "it is being deleted and held by the finalizer a.example/x and b.example/y: whoever set that has to "
                "let it go, or you do: `kubectl -n default edit rdzv run`"
            ),
            id="it goes, and finalizers hold it",
        ),
        pytest.param(
            replace(closed(), being_deleted=True),
            RUNNING,
            BeingDeleted("it is being deleted"),
            id="closed, and it goes",
        ),
        pytest.param(closed(), JOINED, ClosedForUs("closed by a: done"), id="closed"),
        pytest.param(closed(), Standpoint(), ClosedForUs("closed by a: done"), id="closed before the join"),
        pytest.param(
            rendezvous(closed=True),
            Standpoint(),
            ClosedForUs("spec.closed is true; set it to false to open the rendezvous again"),
            id="a person closes it and the operator has not seen that yet",
        ),
        pytest.param(
            closed(reopens=True, closed=True),
            Standpoint(),
            ClosedForUs("spec.closed is true; set it to false to open the rendezvous again"),
            id="a person's closing is not opened by a join",
        ),
        pytest.param(closed(reopens=True), Standpoint(), MustJoin("it has not joined yet"), id="a join opens it again"),
        pytest.param(stands("a b"), Standpoint(), MustJoin("it has not joined yet"), id="not joined yet"),
        pytest.param(
            rendezvous(round_of("a b"), uid=OTHER_UID),
            RUNNING,
            MustJoin("the Rendezvous was deleted and created anew"),
            id="created anew",
        ),
        pytest.param(
            stands("a b"),
            replace(RUNNING, expelled=True),
            MustJoin("its RendezvousMember object is gone: the operator took it for lost, or somebody deleted it"),
            id="expelled",
        ),
        pytest.param(stands("a b"), RUNNING, MustRejoin(3), id="it comes back from the round it ran in"),
        pytest.param(stands("a b", 4), RUNNING, MustRejoin(3), id="it comes back after a round it did not take"),
        pytest.param(stands("a b"), JOINED, PLACE, id="a round with a place for it"),
        pytest.param(stands("a b", 4), BACK, replace(PLACE, round=4), id="the next round"),
        pytest.param(
            stands("a b", status={"forming": told()}), JOINED, MustRejoin(3), id="its round is already being replaced"
        ),
        pytest.param(
            stands("a b", status={"forming": gathering()}), JOINED, PLACE, id="newcomers gather beside its round"
        ),
        pytest.param(
            stands("a c"),
            JOINED,
            Waiting("round 3 stands with 2 nodes without us; standing by for the next one", spare=True),
            id="a spare beside a round that stands",
        ),
        pytest.param(
            stands("a c", status={"forming": gathering(arrived=1, required=2)}),
            JOINED,
            Waiting("1 of 2 required nodes wait for round 4 (Growth)", spare=True),
            id="a newcomer for whom the round grows",
        ),
        pytest.param(
            stands("a b", status={"forming": told(arrived=1, waiting_for=("a", "c"))}),
            BACK,
            Waiting("1 of 2 required nodes wait for round 4 (HeartbeatLost), still to come: a, c"),
            id="a member of the old round waits for the others",
        ),
        pytest.param(
            first_round(arrived=2, deadline=NOW),
            JOINED,
            Waiting("2 of 2 required nodes wait for round 1 (FirstRound), last call until 12:00:00 UTC"),
            id="last call of the first round",
        ),
        pytest.param(
            rendezvous(), JOINED, Waiting("the operator has not looked at it yet"), id="no operator has looked yet"
        ),
        pytest.param(
            rendezvous(replace(round_of("a b"), bootstrap_store=None)),
            JOINED,
            Waiting("the operator has not taken notice yet that this node joined again after round 3"),
            id="a round without a store is none to go to",
        ),
        pytest.param(
            stands("a b"),
            BACK,
            Waiting("the operator has not taken notice yet that this node joined again after round 3"),
            id="it came back, and no operator is there: no spare, whose time-out does not run",
        ),
        pytest.param(
            stands("a b", 2),
            RUNNING,
            MustJoin("the API server's storage was restored from a backup of before our round"),
            id="set back: it is nobody's any more that it runs in round 3",
        ),
        pytest.param(
            stands("a b", 2),
            JOINED.rejoined(3),
            MustJoin("the API server's storage was restored from a backup of before our round"),
            id="set back: that it came back is not known any more",
        ),
        pytest.param(
            stands("a b c"),
            BACK,
            MustJoin("the API server's storage was restored from a backup of before our round"),
            id="set back: the number of its round is another's",
        ),
        pytest.param(
            stands("a b", status={"forming": gathering(arrived=1, required=2)}),
            BACK,
            Waiting("1 of 2 required nodes wait for round 4 (Growth)"),
            id="it came back while newcomers gather",
        ),
    ],
)
def test_standing(seen: Rendezvous | None, me: Standpoint, expected: Standing) -> None:
    assert standing(seen, me) == expected


@pytest.mark.parametrize(
    ("seen", "me", "expected"),
    [
        pytest.param(stands("a b"), RUNNING, 0, id="its round stands"),
        pytest.param(stands("a b", status={"forming": gathering(arrived=2)}), RUNNING, 0, id="newcomers only gather"),
        pytest.param(stands("a b", status={"forming": told(arrived=0)}), RUNNING, 1, id="told; nobody waits yet"),
        pytest.param(stands("a b", status={"forming": told(arrived=3)}), RUNNING, 3, id="told; three wait"),
        pytest.param(stands("a c", 4), RUNNING, 1, id="a newer round was published without it"),
        pytest.param(stands("a b", 4), RUNNING, 1, id="a newer round was published with it"),
        pytest.param(stands("a b"), replace(RUNNING, expelled=True), 1, id="its Member object is gone"),
        pytest.param(stands("a b", 2), RUNNING, 1, id="set back by a restored backup: its round is not known any more"),
        pytest.param(stands("a b c"), RUNNING, 1, id="set back: its number is another round's, of another size"),
        pytest.param(stands("b c"), RUNNING, 1, id="set back: its number is another round's, with another store"),
        pytest.param(
            stands("a c"),
            JOINED.took(PLACE, ("a", "b")),
            1,
            id="set back: its number is another round's, with the same store",
        ),
        pytest.param(rendezvous(), RUNNING, 1, id="set back: no round was formed yet"),
        pytest.param(rendezvous(uid=OTHER_UID), RUNNING, 1, id="the Rendezvous was created anew"),
        pytest.param(None, RUNNING, 0, id="the Rendezvous is gone: what runs may finish"),
        pytest.param(None, replace(RUNNING, expelled=True), 0, id="gone with its members: what runs may finish"),
        pytest.param(closed(), RUNNING, 0, id="closed: what runs may finish"),
        pytest.param(stands("a b", status={"forming": told()}), JOINED, 0, id="it holds no round yet"),
    ],
)
def test_nodes_waiting(seen: Rendezvous | None, me: Standpoint, expected: int) -> None:
    assert nodes_waiting(seen, me) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(stands("a b"), False, id="the round stands"),
        pytest.param(stands("a b", status={"forming": gathering()}), False, id="newcomers gather"),
        pytest.param(stands("a b", status={"forming": told()}), True, id="the round is being replaced"),
        pytest.param(stands("a b", 4), True, id="the round was replaced"),
        pytest.param(stands("a b", 2), True, id="set back: the round is not known any more"),
        pytest.param(stands("b c"), True, id="set back: its number is another round's"),
        pytest.param(rendezvous(round_of("a b"), uid=OTHER_UID), True, id="the Rendezvous was created anew"),
        pytest.param(closed(), True, id="closed"),
        pytest.param(None, False, id="gone: the round may still meet"),
    ],
)
def test_is_superseded(seen: Rendezvous | None, expected: bool) -> None:
    assert is_superseded(seen, PLACE) is expected


@pytest.mark.parametrize(
    ("seen", "me", "expected"),
    [
        pytest.param(stands("a b"), RUNNING, True, id="it runs in the newest round"),
        pytest.param(stands("a b", 2), RUNNING, True, id="set back: whoever is done then is done"),
        pytest.param(stands("a b"), BACK, True, id="it came back and the next round is not there yet"),
        pytest.param(stands("a b"), JOINED, False, id="it has not gone to its place yet"),
        pytest.param(stands("a c", 4), RUNNING, False, id="a newer round was published without it"),
        pytest.param(rendezvous(round_of("a b"), uid=OTHER_UID), RUNNING, False, id="the Rendezvous was created anew"),
        pytest.param(None, RUNNING, False, id="the Rendezvous is gone"),
    ],
)
def test_holds_a_place(seen: Rendezvous | None, me: Standpoint, expected: bool) -> None:
    assert holds_a_place(seen, me) is expected


def test_a_new_incarnation_knows_nothing_of_the_old_one() -> None:
    old = Standpoint("old", OTHER_UID, after_round=2, held_round=3, expelled=True, made_by_client=True)
    spec = RendezvousSpec(1, 1)
    assert old.joined("new", replace(rendezvous(), spec=spec)) == Standpoint("new", UID)


def test_a_rejoin_says_which_round_it_holds_and_a_place_is_held_from_then_on() -> None:
    assert JOINED.took(PLACE).held_round == 3
    assert JOINED.took(PLACE).rejoined(3) == replace(JOINED, held_round=3, held=PLACE, after_round=3, seen_round=3)


def test_where_the_storage_was_set_back_a_new_incarnation_waits_for_a_round_later_than_all_that_it_knows_of() -> None:
    back = RUNNING.joined("new", stands("a b", 1))
    assert back == Standpoint("new", UID, after_round=3, seen_round=1, known_round=3)
    assert isinstance(standing(stands("a new", 3), back), Waiting), "that number was given before"
    assert isinstance(standing(stands("a new", 4), back), Place)
    again = JOINED.rejoined(3).joined("new", stands("a b", 1))
    assert again == back
    assert back.joined("newer", stands("a b", 1)).after_round == 3


def test_who_steps_aside_remembers_which_rounds_there_were() -> None:
    aside = RUNNING.stepped_aside()
    assert (aside.name, aside.held_round, aside.after_round) == ("", 0, 0)
    assert aside.joined("new", stands("a b", 2)).after_round == 3
    assert aside.joined("new", stands("a b", 3)).after_round == 0


def test_what_a_backup_has_forgotten_of_a_member_it_has_not_said() -> None:
    assert BACK.reminded(BACK, 2) == replace(BACK, after_round=2)
    assert BACK.reminded(BACK, 3) is BACK
    assert BACK.reminded(replace(BACK, after_round=2), 2) is BACK, "it was said while that was written"
    assert BACK.reminded(replace(BACK, name="of before"), 2) is BACK


def test_no_number_is_taken_twice() -> None:
    again = replace(RUNNING, expelled=True).joined("new", stands("a b", 3))
    assert standing(stands("a new", 3), again) == MustRejoin(3), "set back, caught up, and given again"
    assert isinstance(standing(stands("a new", 4), again), Place)
    reminded = replace(RUNNING.joined("new", stands("a b", 1)), after_round=0)
    assert standing(stands("a new", 2), reminded) == MustRejoin(3), "all that it knows, at once"


def test_a_new_incarnation_of_one_that_was_thrown_out_takes_whatever_round_follows() -> None:
    thrown_out = replace(RUNNING, expelled=True)
    assert thrown_out.joined("new", stands("a c", 3)).after_round == 0
    assert thrown_out.joined("new", rendezvous(round_of("a c", 1), uid=OTHER_UID)).after_round == 0
