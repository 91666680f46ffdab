"""What a member says of the neighbours that it watches."""

import pytest

from kube_rendezvous.membership.neighbours import (
    LOOKED_UP_AGAIN_SECONDS,
    PING_EVERY_SECONDS,
    SUSPECTED_AFTER_SECONDS,
    Neighbours,
    answer_to,
    digest_of,
)
from kube_rendezvous.resources.neighbours import WRITES_PER_SECOND, may_still_say
from kube_rendezvous_core.liveness.heartbeat import MAX_HEARTBEATS_PER_SECOND
from unit.core.builders import member

UID = "uid"


class Circle:
    """A member that watches b and c, which answer unless they are silent; time goes on in steps of a second."""

    def __init__(self) -> None:
        self.neighbours = Neighbours()
        self.now = 100.0
        self.silent: set[str] = set()
        self.neighbours.watch(UID, ["b", "c"], self.now)
        for name in ("b", "c"):
            assert self.neighbours.to_look_up(self.now) == name
            self.neighbours.found(name, (name, 9))

    def go_on(self, seconds: float) -> tuple[str, ...]:
        end = self.now + seconds
        while self.now < end:
            self.now += 1.0
            for (name, _), ping in self.neighbours.pings(self.now):
                answer = None if name in self.silent else answer_to(ping, digest_of(UID, name))
                if answer is not None:
                    self.neighbours.answered(answer, self.now)
        return self.neighbours.suspects(self.now)


def test_one_that_answers_no_more_is_suspected_while_another_is_heard() -> None:
    circle = Circle()
    assert circle.go_on(10) == ()
    circle.silent = {"b"}
    assert circle.go_on(SUSPECTED_AFTER_SECONDS - 2 * PING_EVERY_SECONDS) == ()
    assert circle.go_on(2 * PING_EVERY_SECONDS + 1) == ("b",)
    circle.silent = set()
    assert circle.go_on(PING_EVERY_SECONDS + 1) == ()


def test_who_hears_nobody_may_be_cut_off_himself_and_says_nothing() -> None:
    circle = Circle()
    circle.go_on(10)
    circle.silent = {"b", "c"}
    assert circle.go_on(60) == ()


def test_who_is_still_asked_by_others_is_not_cut_off() -> None:
    circle = Circle()
    circle.go_on(10)
    circle.silent = {"b", "c"}
    circle.go_on(9)
    circle.neighbours.was_pinged(circle.now)
    assert circle.neighbours.suspects(circle.now) == ("b", "c")


def test_one_that_never_answered_is_not_suspected() -> None:
    circle = Circle()
    circle.silent = {"b"}
    assert circle.go_on(60) == ()


def test_who_was_asleep_himself_suspects_nobody_for_that() -> None:
    circle = Circle()
    circle.go_on(10)
    circle.now += 60
    circle.silent = {"b"}
    assert circle.go_on(SUSPECTED_AFTER_SECONDS - 1) == ()


def test_only_the_incarnation_that_is_meant_answers_and_with_no_more_bytes_than_it_got() -> None:
    circle = Circle()
    circle.now += 1
    (_, ping), _ = circle.neighbours.pings(circle.now)
    answer = answer_to(ping, digest_of(UID, "b"))
    assert answer is not None
    assert len(answer) == len(ping)
    assert answer_to(ping, digest_of(UID, "b-another")) is None
    for noise in (b"", b"x", ping[:-1], ping + b"x", answer, bytes(64)):
        assert answer_to(noise, digest_of(UID, "b")) is None


def test_an_answer_counts_only_if_it_was_asked_for() -> None:
    circle = Circle()
    circle.go_on(10)
    circle.silent = {"b"}
    for _ in range(10):
        circle.go_on(1)
        circle.neighbours.answered(b"KRDZVa1:" + bytes(8) + digest_of(UID, "b"), circle.now)
    assert circle.neighbours.suspects(circle.now) == ("b",)


def test_a_neighbour_that_cannot_be_watched_is_asked_for_once_and_one_not_found_again_later() -> None:
    neighbours = Neighbours()
    neighbours.watch(UID, ["b", "c"], 5.0)
    assert neighbours.to_look_up(4.9) is None
    assert [neighbours.to_look_up(5.0), neighbours.to_look_up(5.0), neighbours.to_look_up(5.0)] == ["b", "c", None]
    neighbours.found("b", None)
    assert neighbours.to_look_up(5.0 + LOOKED_UP_AGAIN_SECONDS) == "c"
    assert neighbours.to_look_up(5.0 + LOOKED_UP_AGAIN_SECONDS) is None


def test_client_and_operator_agree_on_the_number_of_heartbeats() -> None:
    assert WRITES_PER_SECOND == MAX_HEARTBEATS_PER_SECOND


@pytest.mark.parametrize(
    ("belongs_to", "port", "asked_again"),
    [("", 0, True), ("", 9, False), (UID, 0, False), (UID, 9, False)],
)
def test_who_has_not_said_yet_what_it_belongs_to_may_say_a_port_with_that(
    belongs_to: str, port: int, asked_again: bool
) -> None:
    assert may_still_say(member("a", rendezvous_uid=belongs_to, watch_port=port)) is asked_again


def test_the_slice_that_names_them_is_read_when_its_time_comes_and_again_if_that_failed() -> None:
    neighbours = Neighbours()
    neighbours.watch_those_in("digest", 105.0)
    assert neighbours.to_read(104.0) == ""
    assert neighbours.next_in(104.0) == 1.0
    assert neighbours.to_read(105.0) == "digest"
    neighbours.watch_those_in("digest", 106.0)
    assert neighbours.to_read(106.0) == ""
    assert neighbours.to_read(105.0 + LOOKED_UP_AGAIN_SECONDS) == "digest"


def test_a_slice_that_was_read_is_not_read_again() -> None:
    neighbours = Neighbours()
    neighbours.watch_those_in("digest", 105.0)
    neighbours.watch_those_in("", 105.0)
    assert neighbours.to_read(200.0) == ""
