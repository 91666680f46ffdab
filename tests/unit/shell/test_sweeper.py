"""What is deleted beside the rounds: nobody waits for it, whoever makes it much."""

from typing import Any

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from kube_rendezvous.resources import parse_member
from kube_rendezvous_core import Expulsion
from kube_rendezvous_core.liveness.undecided import UNDECIDED_SECONDS
from unit.shell.objects import KEY, UID, raw_member, raw_rendezvous
from unit.shell.scripted_shell import Shell, gone

CONFLICT = ApiUnavailableError("DELETE", 409, "Conflict", "the object has been modified")
AWAY = ApiUnavailableError("DELETE", 503, "", "not ready")


def strangers(number: int) -> list[dict[str, Any]]:
    return [raw_member(f"x{i}", 100 + i, rendezvousUID="another") for i in range(number)]


@pytest.mark.parametrize("answer", [CONFLICT, AWAY, {}], ids=["written to all the time", "not now", "deleted"])
def test_however_many_strangers_there_are_a_death_is_told_in_one_pass(standing: Shell, answer: Any) -> None:
    for stranger in strangers(100):
        standing.members.changed(stranger)
    standing.members.changed(raw_member("b", 500, leaving=True))
    standing.connection.asked.clear()
    standing.reconciler.reconcile(KEY)
    assert standing.asked == ["PUT status", "DELETE b"]
    assert standing.status.forming is not None
    assert standing.status.forming.interrupts
    standing.answer("DELETE", "/rendezvousmembers/", answer)


def test_a_stranger_is_deleted_by_its_uid_alone_however_often_it_is_written_to(standing: Shell) -> None:
    standing.members.changed(raw_member("x", 7, rendezvousUID="another"))
    standing.run()
    assert standing.asked == ["GET run", "DELETE x"]
    assert standing.connection.asked[-1].body["preconditions"] == {"uid": "uid-of-x"}
    assert standing.announced == ["OtherRendezvous"], "whoever looks why it does not come finds it"


def test_who_belongs_to_the_newer_rendezvous_of_the_name_is_no_stranger(standing: Shell) -> None:
    standing.members.changed(raw_member("x", 7, rendezvousUID="another"))
    standing.serve(raw_rendezvous(1, uid="another"))
    standing.run()
    assert standing.asked == ["GET run"]


def test_a_lost_member_without_a_rank_that_has_moved_since_is_looked_at_again(standing: Shell) -> None:
    late = parse_member(raw_member("late", 5))
    standing.answer("DELETE", "/rendezvousmembers/", CONFLICT)
    standing.sweeper.sweep(KEY, [Expulsion(late, "HeartbeatLost", doubtful=True)])
    assert standing.sweeper.turn()
    assert standing.connection.asked[-1].body["preconditions"] == {"uid": "uid-of-late", "resourceVersion": "5"}
    assert standing.woken == [(KEY, 1.0)]


def test_what_could_not_be_deleted_stays_on_the_list(standing: Shell) -> None:
    late = parse_member(raw_member("late", 5))
    standing.answer("DELETE", "/rendezvousmembers/", AWAY, {})
    standing.sweeper.sweep(KEY, [Expulsion(late, "MemberLeft", doubtful=False)])
    with pytest.raises(ApiUnavailableError):
        standing.sweeper.turn()
    assert standing.sweeper.turn()
    assert not standing.sweeper.turn()


def test_members_of_a_rendezvous_that_is_gone_go_too(shell: Shell) -> None:
    shell.know(None, raw_member("a"), raw_member("b", rendezvousUID="another"))
    shell.run()
    assert shell.asked == ["GET run", "GET run", "DELETE a", "DELETE b"]
    assert shell.announced == ["RendezvousGone"], "where whoever looks for the run finds it"


def test_members_of_one_that_has_come_meanwhile_stay(shell: Shell) -> None:
    shell.know(None, raw_member("a"), raw_member("b", rendezvousUID="another"))
    shell.answer("GET", "/rendezvous/run", gone, raw_rendezvous(1, uid=UID))
    shell.run()
    assert shell.asked == ["GET run", "GET run", "DELETE b"]


def test_one_that_comes_before_its_rendezvous_is_left_alone_until_it_has_had_time_to_say_where_it_belongs(
    shell: Shell,
) -> None:
    shell.know(None, raw_member("a", rendezvousUID=...))
    after = shell.reconciler.reconcile(KEY)
    assert after == pytest.approx(UNDECIDED_SECONDS, abs=5)
    assert not shell.sweeper.turn()


def test_one_that_found_nothing_to_join_goes_without_a_word(shell: Shell) -> None:
    shell.know(None, raw_member("a", rendezvousUID=..., leaving=True))
    shell.run()
    assert shell.asked == ["GET run", "DELETE a"]
    assert shell.announced == []


@pytest.mark.parametrize("reason", ["OtherRendezvous", "RendezvousGone"])
def test_one_that_never_said_where_it_belongs_is_deleted_only_if_it_does_not_say_so_now(
    standing: Shell, reason: str
) -> None:
    standing.answer("GET", "/rendezvous/run", gone)
    silent = parse_member(raw_member("x", 7, rendezvousUID=...))
    standing.sweeper.sweep(KEY, [Expulsion(silent, reason, doubtful=False)])
    assert standing.sweeper.turn()
    assert standing.connection.asked[-1].body["preconditions"] == {"uid": "uid-of-x", "resourceVersion": "7"}


def test_one_whose_rendezvous_has_come_meanwhile_stays_although_it_has_not_said_so(standing: Shell) -> None:
    early = parse_member(raw_member("x", 7, rendezvousUID=...))
    standing.connection.asked.clear()
    standing.sweeper.sweep(KEY, [Expulsion(early, "RendezvousGone", doubtful=False)])
    assert standing.sweeper.turn()
    assert standing.asked == ["GET run"]


def test_namespaces_take_turns(shell: Shell) -> None:
    for number in range(100):
        noisy = raw_member(f"x{number}", 100 + number)
        noisy["metadata"]["namespace"] = "noisy"
        shell.members.changed(noisy)
    shell.members.changed(raw_member("a"))
    shell.answer("GET", "/rendezvous/run", gone)
    shell.reconciler.reconcile(("noisy", "run"))
    shell.reconciler.reconcile(KEY)
    shell.connection.asked.clear()
    assert shell.sweeper.turn()
    assert shell.sweeper.turn()
    assert "DELETE a" in shell.asked
    assert len(shell.asked) < 30
