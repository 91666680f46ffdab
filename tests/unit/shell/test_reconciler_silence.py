"""Whose silence is it: the reconciler asks the API server before it holds it against a member."""

from typing import Any

import pytest

from kube_rendezvous.cluster import ApiUnavailableError
from unit.scripted_connection import Asked
from unit.shell.fake_clock import Clock
from unit.shell.objects import KEY, raw_member
from unit.shell.scripted_shell import Shell

AWAY = ApiUnavailableError("GET", 503, "", "not ready")


def test_before_silence_is_held_against_a_member_a_consistent_read_must_show_it_twice(
    standing: Shell, clock: Clock
) -> None:
    clock.now += 10
    standing.members.changed(raw_member("a", 5, renewed=20))
    standing.serve(standing.raw, raw_member("a", 5, renewed=20), raw_member("b", 2))
    standing.run()
    assert standing.asked == ["GET rendezvousmembers"], "is it the API server that is silent?"
    clock.now += 5
    standing.members.changed(raw_member("a", 6, renewed=25))
    standing.serve(standing.raw, raw_member("a", 6, renewed=25), raw_member("b", 2))
    standing.run()
    assert standing.asked == ["GET run", "GET rendezvousmembers", "PUT status", "DELETE b"]
    assert standing.announced == ["HeartbeatLost"]


def test_a_heartbeat_that_the_watch_had_not_brought_yet_saves_its_member(standing: Shell, clock: Clock) -> None:
    clock.now += 10
    standing.members.changed(raw_member("a", 5, renewed=20))
    standing.serve(standing.raw, raw_member("a", 5, renewed=20), raw_member("b", 2))
    standing.run()
    clock.now += 5
    standing.members.changed(raw_member("a", 6, renewed=25))
    standing.serve(standing.raw, raw_member("a", 6, renewed=25), raw_member("b", 7, renewed=25))
    standing.run()
    assert standing.asked == ["GET run", "GET rendezvousmembers"]
    assert standing.status.forming is None


@pytest.mark.parametrize("part", ["/rendezvousmembers", "/rendezvous/run"])
def test_nobody_is_lost_while_the_api_server_does_not_answer(standing: Shell, clock: Clock, part: str) -> None:
    clock.now += 10
    standing.run()
    clock.now += 20
    standing.connection.answers.pop(("GET", part))
    standing.connection.answers = {("GET", part): [AWAY], **standing.connection.answers}
    with pytest.raises(ApiUnavailableError):
        standing.run()
    assert {"PUT", "DELETE"}.isdisjoint(standing.connection.methods)


def test_a_read_that_took_longer_than_a_heartbeat_shows_an_api_server_through_which_nobody_is_heard(
    standing: Shell, clock: Clock
) -> None:
    clock.now += 10
    standing.run()
    clock.now += 5

    def slow(_: Asked) -> dict[str, Any]:
        clock.now += 6
        return {"metadata": {"resourceVersion": "99"}, "items": [raw_member("a", 1), raw_member("b", 2)]}

    standing.answer("GET", "/rendezvousmembers", slow)
    standing.run()
    assert {"PUT", "DELETE"}.isdisjoint(standing.connection.methods)
    assert [observed.silence for observed in standing.members.observed(KEY)] == [0, 0]
