"""One reconcile: what is read and written, in which order, and what happens when somebody was faster."""

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError
from kube_rendezvous.resources import parse_member, parse_rendezvous
from kube_rendezvous_operator.shell.reconciling.reconciler import OvertakenError
from kube_rendezvous_operator.shell.watching.member_cache import MemberCache
from unit.scripted_connection import Answer, Asked
from unit.shell.fake_clock import Clock
from unit.shell.objects import KEY, UID, raw_member, raw_rendezvous
from unit.shell.scripted_shell import Shell, gone

LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)
CONFLICT = ApiUnavailableError("PUT /status", 409, "Conflict", "the object has been modified")
AWAY = ApiUnavailableError("GET", 503, "", "not ready")


def test_a_round_is_published_in_one_write_fenced_by_the_version_it_was_decided_on(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    shell.run()
    assert shell.asked == ["PUT status"]
    body = shell.connection.asked[0].body
    assert body["metadata"]["resourceVersion"] == "10"
    written = parse_rendezvous({**raw_rendezvous(10), "status": body["status"]}).status
    assert "spec" not in body, "only the status is ours"
    assert (written.round, written.ranks, written.bootstrap_store is not None) == (1, ("a", "b"), True)
    assert shell.announced == ["RoundFormed"]


def test_when_nothing_changed_nothing_is_asked_and_nothing_written(standing: Shell) -> None:
    assert standing.run() is not None, "but it looks again when a silence could become a loss"
    assert standing.asked == []
    assert standing.announced == []


def test_when_the_answer_to_the_write_is_known_nothing_is_written_twice(standing: Shell) -> None:
    standing.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    standing.run()
    assert standing.asked == [], "kopf's older event did not take the round back"


def test_of_a_loss_the_survivors_are_told_first_and_then_the_object_is_deleted(standing: Shell) -> None:
    standing.members.changed(raw_member("b", 5, leaving=True))
    standing.run()
    assert standing.asked == ["PUT status", "DELETE b"]
    assert standing.connection.asked[1].body["preconditions"] == {"uid": "uid-of-b"}, "it cannot take it back"
    assert standing.announced == ["MemberLeft"]
    assert standing.status.forming is not None
    assert standing.status.forming.interrupts


def test_no_round_is_published_without_a_member_that_has_moved_since(standing: Shell) -> None:
    standing.members.changed(raw_member("c", 5))
    standing.members.changed(raw_member("a", 6, afterRound=1))
    standing.run()
    assert standing.status.forming is not None
    forming = replace(standing.status.forming, since=LONG_AGO, deadline=LONG_AGO)
    standing.rendezvous.put(raw_rendezvous(900, replace(standing.status, forming=forming)))
    standing.answer("DELETE", "/rendezvousmembers/", CONFLICT)
    with pytest.raises(OvertakenError):
        standing.run()
    assert standing.asked == ["DELETE b"], "it is in no new round, and may just have joined again"
    assert standing.connection.asked[0].body["preconditions"] == {"uid": "uid-of-b", "resourceVersion": "2"}


def test_a_member_that_is_gone_already_needs_no_deletion(standing: Shell) -> None:
    standing.members.changed(raw_member("b", 5, leaving=True))
    standing.answer("DELETE", "/rendezvousmembers/", gone)
    standing.run()
    assert standing.asked == ["PUT status", "DELETE b"]


def test_the_request_to_close_is_recorded_before_the_member_that_carries_it_is_deleted(standing: Shell) -> None:
    farewell = raw_member("b", 5, leaving=True, closeRequested=True, closeReason="done")
    standing.members.changed(farewell)
    standing.serve(standing.raw, raw_member("a", 1), farewell)
    standing.run()
    assert standing.asked[-2:] == ["PUT status", "DELETE b"]
    assert standing.status.closed is not None
    assert standing.announced == ["Closed"]


def test_a_write_that_is_overtaken_looks_again_at_what_was_faster(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    shell.serve(raw_rendezvous(11, minNodes=3))
    shell.answer("PUT", "/status", CONFLICT)
    with pytest.raises(OvertakenError):
        shell.run()
    assert shell.asked == ["PUT status", "GET run"]
    assert shell.announced == []
    known = shell.rendezvous.get(KEY)
    assert known is not None
    assert known.rendezvous.spec.min_nodes == 3


def test_what_a_member_was_deleted_for_is_told_although_somebody_was_faster_than_the_write(shell: Shell) -> None:
    """Otherwise it would count as deleted by somebody: wanted, and against no place."""
    twice = {"quarantine": {"losses": 2, "windowSeconds": 600}}
    place: dict[str, Any] = {"podUID": "pod-b", "podName": "pod-b", "slot": "1", "holdsPlace": True}
    here = [raw_member("a", 1), raw_member("b", 2, **place)]
    shell.know(raw_rendezvous(10, failurePolicy=twice), *here)
    shell.run()
    assert shell.status.ranks == ("b", "a")
    heir = raw_member("b2", 4, renewed=5, **place)
    here = [raw_member("a", 3, afterRound=1), raw_member("b", 2, **place), heir]
    for member in here:
        shell.members.changed(member)
    shell.serve(shell.raw, *here)
    stored = shell.connection.answers[("PUT", "/status")]
    shell.answer("PUT", "/status", CONFLICT, *stored)
    with pytest.raises(OvertakenError):
        shell.run()
    assert shell.asked[-3:] == ["DELETE b", "PUT status", "GET run"]
    shell.members.removed(raw_member("b", 5, **place))
    shell.serve(shell.raw, here[0], heir)
    shell.run()
    assert shell.status.ranks == ("b2", "a")
    assert [(loss.place, loss.reason) for loss in shell.status.recent_losses] == [("slot/1", "MemberSuperseded")]


def test_a_write_to_what_is_gone_forgets_it(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    shell.answer("PUT", "/status", gone)
    with pytest.raises(OvertakenError):
        shell.run()
    assert shell.rendezvous.get(KEY) is None


FOREIGN = [
    pytest.param("", "404 page not found", id="an API server that does not serve it yet, or a proxy"),
    pytest.param("NotFound", "the server could not find the requested resource", id="its definition is gone"),
]


@pytest.mark.parametrize(("reason", "message"), FOREIGN)
def test_what_says_nothing_of_the_object_itself_forgets_nothing(shell: Shell, reason: str, message: str) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    stored = shell.connection.answers["PUT", "/status"]
    shell.answer("PUT", "/status", ApiRefusedError("PUT", 404, reason, message), *stored)
    with pytest.raises(ApiRefusedError):
        shell.run()
    shell.run()
    assert shell.set_back == 0
    assert shell.status.ranks == ("a", "b")


def recreated_before_the_answer(shell: Shell) -> Answer:
    """Gone when it was asked for; kopf shows its successor before that is heard."""

    def answer(asked: Asked) -> dict[str, Any]:
        shell.rendezvous.put(raw_rendezvous(20, uid="another"))
        return gone(asked)

    return answer


def assert_the_successor_is_known(shell: Shell) -> None:
    known = shell.rendezvous.get(KEY)
    assert known is not None, "its successor must not be buried with it"
    assert known.rendezvous.uid == "another"
    assert shell.rendezvous.put(raw_rendezvous(21, uid="another"))


def test_the_late_news_of_a_write_that_it_is_gone_does_not_bury_its_successor(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    shell.answer("PUT", "/status", recreated_before_the_answer(shell))
    with pytest.raises(OvertakenError):
        shell.run()
    assert_the_successor_is_known(shell)


def test_the_late_news_of_a_read_that_it_is_gone_does_not_bury_its_successor(standing: Shell) -> None:
    standing.members.relisted([raw_member("a", 1)])
    standing.members.forget(KEY, [parse_member(raw_member("b", 2))])
    standing.answer("GET", "/rendezvous/run", recreated_before_the_answer(standing))
    with pytest.raises(OvertakenError):
        standing.run()
    assert_the_successor_is_known(standing)


def test_a_write_that_fails_is_announced_to_nobody(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    shell.answer("PUT", "/status", AWAY)
    with pytest.raises(ApiUnavailableError):
        shell.run()
    assert shell.announced == []


def test_a_ranked_name_that_the_cache_does_not_know_is_looked_for_before_it_is_missed(standing: Shell) -> None:
    late = Shell()
    late.know(standing.raw, raw_member("a", 1))
    late.serve(standing.raw, raw_member("a", 1), raw_member("b", 2))
    late.run()
    assert late.asked == ["GET run", "GET rendezvousmembers"], "it was only late"
    assert late.status.forming is None


def test_the_rendezvous_is_read_before_the_members_so_that_these_are_at_least_as_new(standing: Shell) -> None:
    standing.members.relisted([raw_member("a", 1)])
    standing.members.forget(KEY, [parse_member(raw_member("b", 2))])
    standing.serve(standing.raw, raw_member("a", 1))
    standing.run()
    assert standing.asked == ["GET run", "GET rendezvousmembers", "PUT status"]
    assert standing.connection.asked[1].query == {"fieldSelector": "spec.rendezvous=run", "limit": "25"}
    assert standing.announced == ["MemberDeleted"]


def test_where_the_storage_was_set_back_nothing_is_concluded_from_what_it_holds(
    standing: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Shell()
    late.know(standing.raw, raw_member("a", 1))
    monkeypatch.setattr(MemberCache, "told_version", "100")  # a list of later has at least that
    with pytest.raises(OvertakenError):
        late.run()
    assert late.asked == ["GET run", "GET rendezvousmembers"]
    assert late.set_back == 1


def test_a_rendezvous_that_goes_while_it_is_read_was_not_set_back(shell: Shell) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1))
    raw = raw_rendezvous(10)

    def goes(_: Asked) -> dict[str, Any]:
        shell.rendezvous.remove(KEY, UID)
        return raw

    shell.rendezvous.remove(KEY, "another")
    shell.answer("GET", "/rendezvous/run", goes)
    with contextlib.suppress(OvertakenError):
        shell.reconciler._newest(KEY)
    assert shell.set_back == 0


def test_a_rendezvous_that_was_gone_and_is_there_again_was_set_back(shell: Shell, clock: Clock) -> None:
    shell.know(raw_rendezvous(10), raw_member("a", 1))
    shell.rendezvous.remove(KEY, UID)
    clock.now += 1.0
    with pytest.raises(OvertakenError):
        shell.run()
    assert shell.set_back == 1


def test_a_rendezvous_that_is_older_than_the_one_we_know_was_set_back(standing: Shell) -> None:
    late = Shell()
    late.know({**standing.raw, "metadata": {**standing.raw["metadata"], "resourceVersion": "900"}}, raw_member("a", 1))
    late.serve(standing.raw, raw_member("a", 1))
    with pytest.raises(OvertakenError):
        late.run()
    assert late.set_back == 1


def test_a_member_that_is_older_than_the_one_we_know_was_set_back(standing: Shell) -> None:
    late = Shell()
    late.know(standing.raw, raw_member("a", 50))
    late.serve(standing.raw, raw_member("a", 1), raw_member("b", 2))
    with pytest.raises(OvertakenError):
        late.run()
    assert late.set_back == 1


def test_who_arrives_is_written_at_most_once_a_second(shell: Shell, clock: Clock) -> None:
    shell.know(raw_rendezvous(10, minNodes=9), raw_member("a"))
    shell.run()
    assert shell.asked == ["PUT status"]
    clock.now += 0.4
    shell.members.changed(raw_member("b"))
    assert shell.run() == pytest.approx(0.6), "it says when it may be written"
    assert shell.asked == []
    clock.now += 0.6
    shell.members.changed(raw_member("c"))
    shell.run()
    assert shell.asked == ["PUT status"]
    assert shell.status.forming is not None
    assert shell.status.forming.arrived == 3


def test_a_round_does_not_wait_for_the_second_to_pass(shell: Shell, clock: Clock) -> None:
    shell.know(raw_rendezvous(10), raw_member("a"))
    shell.run()
    clock.now += 0.1
    shell.members.changed(raw_member("b"))
    shell.run()
    assert shell.asked == ["PUT status"]
    assert shell.status.round == 1


def test_a_rendezvous_that_its_members_know_and_we_do_not_is_looked_for(shell: Shell) -> None:
    shell.know(None, raw_member("a", 1), raw_member("b", 2))
    shell.serve(raw_rendezvous(10))
    shell.run()
    assert shell.asked == ["GET run", "PUT status"]


def test_members_of_a_rendezvous_that_is_gone_are_deleted(shell: Shell) -> None:
    shell.know(None, raw_member("a", 1), raw_member("b", 2))
    assert shell.run() is None
    assert shell.asked == ["GET run", "GET run", "DELETE a", "DELETE b"]
    assert shell.members.observed(KEY) == []
    assert shell.run() is None
    assert shell.asked == [], "and that is the end of it"


def test_a_rendezvous_that_nobody_knows_costs_no_request(shell: Shell) -> None:
    assert shell.run() is None
    assert shell.asked == []


def test_the_verdict_is_logged_when_it_changes(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "kube_rendezvous_operator"):
        shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
        shell.run()
        shell.run()
    assert caplog.messages == ["Rendezvous ns/run: Round 1 stands with 2 nodes."]


def test_a_status_of_another_hand_is_not_taken_for_ours(standing: Shell) -> None:
    theirs = replace(standing.status, observed_generation=0)
    standing.rendezvous.put(raw_rendezvous(500, theirs, uid=UID))
    standing.run()
    assert standing.asked == ["PUT status"]
    assert standing.status.observed_generation == 1


@pytest.mark.parametrize("restarted", [False, True], ids=["the same operator", "an operator that has just started"])
def test_a_death_is_told_although_another_member_has_taken_the_name_at_once(standing: Shell, restarted: bool) -> None:
    shell = standing
    raw = json.loads(json.dumps(standing.raw))
    namesake = raw_member("b", 50, uid="9-uid-of-another", podUID="another")
    if restarted:
        shell = Shell()
        shell.know(raw, raw_member("a", 1), namesake)
    else:
        shell.members.changed(namesake)
        shell.serve(raw, raw_member("a", 1), namesake)
    shell.run()
    assert shell.status.forming is not None
    assert (shell.status.forming.reason, shell.status.forming.interrupts) == ("MemberDeleted", True)
    assert "DELETE b" in shell.asked, "and the other one joins under a name of its own"
