"""A large round: all slices before the status, none away too early, and none left behind."""

from datetime import timedelta
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous.resources import parse_rendezvous
from kube_rendezvous.resources.rendezvous_slice import digests_in
from kube_rendezvous_core.slicing import SliceSizes
from kube_rendezvous_operator.shell.reconciling.reconciler import OvertakenError
from unit.scripted_connection import Asked
from unit.shell.fake_clock import Clock
from unit.shell.objects import KEY, raw_member, raw_rendezvous
from unit.shell.scripted_shell import Shell, gone

SLICES = "/rendezvousslices"
EXISTS = ApiUnavailableError("POST", 409, "AlreadyExists", "it exists")


@pytest.fixture
def shell(clock: Clock) -> Shell:
    """For it two are many; it stores slices."""
    shell = Shell(SliceSizes(above=1, names=1))
    stored = shell.stored

    def create(asked: Asked) -> dict[str, Any]:
        name = asked.body["metadata"]["name"]
        if name in stored:
            raise EXISTS
        stored[name] = {**asked.body, "metadata": {**asked.body["metadata"], "resourceVersion": "1"}}
        return stored[name]

    def read(asked: Asked) -> dict[str, Any]:
        name = asked.path.rsplit("/", 1)[1]
        if name == "rendezvousslices":
            return {"kind": "RendezvousSliceList", "metadata": {}, "items": list(stored.values())}
        if name not in stored:
            return gone(asked)
        return stored[name]

    def delete(asked: Asked) -> dict[str, Any]:
        return stored.pop(asked.path.rsplit("/", 1)[1], {})

    shell.answer("POST", SLICES, create)
    shell.answer("GET", SLICES, read)
    shell.answer("DELETE", SLICES, delete)
    return shell


def member(name: str, version: int = 1, **spec: Any) -> dict[str, Any]:
    return raw_member(name, version, readsSlices=True, **spec)


def stored(shell: Shell) -> set[str]:
    """The digests of all slices that there are."""
    return {name.removeprefix("run-") for name in shell.stored}


def test_all_slices_are_there_before_the_status_that_points_at_them(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    assert [asked.split()[0] for asked in shell.asked[:4]] == ["POST", "POST", "POST", "PUT"]
    written = parse_rendezvous(shell.raw).status
    assert (written.ranks, written.world_size) == ((), 2)
    assert digests_in(written) == stored(shell)
    assert shell.status.ranks == ("a", "b"), "it knows what it wrote"


def test_while_one_of_the_members_reads_no_slices_a_round_is_named_in_the_status(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), raw_member("b", 2))
    shell.run()
    assert shell.asked == ["PUT status"]
    assert parse_rendezvous(shell.raw).status.ranks == ("a", "b")


def test_a_member_that_may_not_read_slices_after_all_is_named_in_the_status(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    shell.members.changed(raw_member("b", 3, readsSlices=False))
    shell.run()
    written = parse_rendezvous(shell.raw).status
    assert (written.round, written.ranks, written.sliced) == (1, ("a", "b"), None)


@pytest.mark.parametrize("status", [403, 404])
def test_where_slices_cannot_be_written_a_round_is_named_in_the_status(shell: Shell, status: int) -> None:
    shell.answer("POST", SLICES, ApiRefusedError("POST", status, "", "no"))
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    assert parse_rendezvous(shell.raw).status.ranks == ("a", "b")


def test_no_status_is_written_while_a_slice_cannot_be(shell: Shell) -> None:
    shell.answer("POST", SLICES, ApiUnavailableError("POST", 500, "", "not now"))
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    with pytest.raises(ApiFailureError):
        shell.run()
    assert "PUT status" not in shell.asked


def test_a_slice_that_is_there_already_must_say_the_same(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.answer("PUT", "/status", ApiUnavailableError("PUT", 500, "", "not now"), shell._store)
    with pytest.raises(ApiFailureError):
        shell.run()
    shell.run()
    assert shell.status.round == 1, "those of the first try are taken, but for the history, which has another time"


def test_a_new_operator_reads_the_names_of_a_round_that_stands(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    heir = Shell(SliceSizes(above=1, names=1))
    heir.connection.answers |= {key: found for key, found in shell.connection.answers.items() if key[1] == SLICES}
    heir.know(shell.raw, member("a"), member("b", 2))
    heir.run()
    assert heir.asked == ["GET rendezvousslices"]
    assert heir.status.ranks == ("a", "b")
    heir.run()
    assert heir.asked == [], "once"


def test_whose_slice_somebody_has_deleted_is_taken_for_lost(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    holds_b = next(n for n, obj in shell.stored.items() if "b" in obj["spec"].get("members", ()))
    del shell.stored[holds_b]
    heir = Shell(SliceSizes(above=1, names=1))
    heir.connection.answers |= {key: found for key, found in shell.connection.answers.items() if key[1] == SLICES}
    heir.know(shell.raw, member("a"), member("b", 2))
    heir.run()
    told = heir.status.forming
    reason = told.message if told is not None and told.interrupts else heir.status.history[0].message
    assert "RendezvousSlice is gone" in reason


def test_a_slice_that_somebody_deletes_is_made_again_and_the_status_tells_its_readers_where(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    first = shell.status
    assert first.sliced is not None
    lost = first.sliced.members[0]
    del shell.stored[f"run-{lost}"]
    shell.gone.add(f"run-{lost}")
    shell.run()
    assert [asked.split()[0] for asked in shell.asked[:2]] == ["POST", "PUT"]
    second = parse_rendezvous(shell.raw).status
    assert second.sliced is not None
    assert (second.round, second.sliced.members[1:], second.sliced.history) == (
        first.round,
        first.sliced.members[1:],
        first.sliced.history,
    )
    assert stored(shell) == digests_in(second)
    assert shell.status.ranks == ("a", "b")
    shell.run()
    assert shell.asked == [], "once"


def test_those_of_a_rendezvous_that_is_being_deleted_are_not_made_again(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    metadata = {**shell.raw["metadata"], "resourceVersion": "900", "deletionTimestamp": "2026-03-01T12:00:09Z"}
    shell.rendezvous.put({**shell.raw, "metadata": {**metadata, "finalizers": ["foregroundDeletion"]}})
    shell.gone |= set(shell.stored)
    shell.stored.clear()
    shell.run()
    assert not any("slices" in asked for asked in shell.asked), shell.asked


def test_a_slice_that_is_deleted_before_the_status_points_at_it_is_looked_at_again_at_once(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))

    def deleted_meanwhile(asked: Asked) -> dict[str, Any]:
        shell.gone.add(min(shell.stored))
        return shell._store(asked)

    shell.answer("PUT", "/status", deleted_meanwhile, shell._store)
    assert shell.run() == 0.0
    shell.run()
    assert shell.status.round == 1
    assert not {f"run-{one}" for one in digests_in(shell.status)} & shell.gone


def next_round(shell: Shell, clock: Clock, lost: str, heir: str, number: int) -> None:
    """One is lost and another comes."""
    clock.now += 1.5
    others = [name for name in shell.status.ranks if name != lost]
    here = [member(name, 100 * number, afterRound=number) for name in others] + [member(heir, 100 * number + 1)]
    for one in here:
        shell.members.changed(one)
    shell.members.removed(member(lost, 100 * number + 2))
    shell.serve(shell.raw, *here)
    shell.run()
    assert shell.status.round == number + 1, shell.status


def test_slices_are_removed_when_the_round_after_the_next_has_been_written(shell: Shell, clock: Clock) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    pointed = [digests_in(shell.status)]
    for number, (lost, heir) in enumerate([("a", "c"), ("b", "d"), ("c", "e")], start=1):
        next_round(shell, clock, lost, heir, number)
        pointed.append(digests_in(shell.status))
        assert stored(shell) == pointed[-1] | pointed[-2]


def test_what_others_have_left_behind_is_removed_with_the_first_round_but_not_what_they_may_publish(
    shell: Shell, clock: Clock
) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    standing = digests_in(shell.status)
    one = next(iter(shell.stored.values()))
    for name, number in (("run-old", 1), ("run-other", 2), ("run-coming", 3)):
        left = {**one, "metadata": {**one["metadata"], "name": name}, "spec": {**one["spec"], "round": number}}
        shell.stored[name] = left
    shell.reconciler._slices.forget(KEY)
    next_round(shell, clock, "a", "c", 1)
    assert stored(shell) == standing | digests_in(shell.status) | {"other", "coming"}
    standing = digests_in(shell.status)
    next_round(shell, clock, "a", "d", 2)
    assert stored(shell) == standing | digests_in(shell.status) | {"coming"}


def test_a_clock_that_was_set_back_costs_one_write_and_not_one_at_each_look(shell: Shell, clock: Clock) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.run()
    next_round(shell, clock, "a", "c", 1)
    first, second = shell.status.history[1].formed_at, shell.status.history[0].formed_at
    for look in range(3):
        clock.now += 1.5
        shell.reconciler._now = lambda seconds=look: second - timedelta(hours=1) + timedelta(seconds=seconds)
        shell.run()
        assert shell.asked == ([] if look else ["PUT status"]), look
    assert [past.formed_at for past in shell.status.history] == [second - timedelta(hours=1), first]


def test_a_small_rendezvous_asks_for_no_slices(standing: Shell) -> None:
    standing.run()
    assert not any("slice" in asked.path for asked in standing.connection.asked)


def test_an_overtaken_round_leaves_nothing(shell: Shell, clock: Clock) -> None:
    shell.know(raw_rendezvous(10), member("a"), member("b", 2))
    shell.answer("PUT", "/status", ApiUnavailableError("PUT", 409, "Conflict", "changed"), shell._store)
    with pytest.raises(OvertakenError):
        shell.run()
    shell.run()
    next_round(shell, clock, "a", "c", 1)
    older = digests_in(shell.status)
    next_round(shell, clock, "b", "d", 2)
    assert stored(shell) == digests_in(shell.status) | older
