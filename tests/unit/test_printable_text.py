"""Nothing that somebody writes into an object steers a terminal, forges a line or runs in a shell."""

import logging
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_rendezvous.cluster.failures import failure_of
from kube_rendezvous.printable_text import one_line, one_lines, printable, shell_word
from kube_rendezvous.resources import parse_member, parse_rendezvous
from kube_rendezvous_core.policy.failure_policy import places_of
from kube_rendezvous_operator import __main__ as operator_command
from unit.core.builders import outcome, round_of, seen, stands
from unit.shell.objects import raw_member, raw_rendezvous

ESCAPES = "\x1b[2J\x1b]0;owned\x07done\nINFO all is well\r\u202etxt.exe\u2028"
SHELL = "3; touch /tmp/ran $(id) `id` 'x"


def is_one_plain_line(text: str) -> bool:
    return text == printable(text) and len(text.splitlines()) <= 1


@pytest.mark.parametrize("field", ["closeReason", "slot", "podName", "nodeName"])
def test_no_text_of_a_member_steers_a_terminal(field: str) -> None:
    member = parse_member(raw_member("a", **{field: ESCAPES}))
    texts = (member.close_reason, member.slot, member.pod_name, member.node_name)
    assert all(map(is_one_plain_line, texts))
    assert any("done" in text for text in texts), "what can be read of it stays"


def test_the_reason_for_closing_reaches_status_and_events_as_one_plain_line() -> None:
    member = parse_member(raw_member("b", closeReason=ESCAPES))
    before = stands("a b")
    status = outcome(before, [seen("a"), seen("b", close_requested=True, close_reason=member.close_reason)])
    assert status.closed is not None
    assert is_one_plain_line(status.closed.message)


def test_what_somebody_wrote_into_a_status_reaches_no_client_raw() -> None:
    obj = raw_rendezvous(5, round_of("a b"))
    obj["status"]["closed"] = {"by": ESCAPES, "at": "2026-03-01T12:00:00Z", "reason": ESCAPES, "message": ESCAPES}
    obj["status"]["forming"] = {
        "round": 4,
        "reason": ESCAPES,
        "message": ESCAPES,
        "interrupts": True,
        "since": "2026-03-01T12:00:00Z",
        "waitingFor": [ESCAPES],
    }
    status = parse_rendezvous(obj).status
    assert status.closed is not None
    assert status.forming is not None
    closed, forming = status.closed, status.forming
    for text in (closed.by, closed.reason, closed.message, forming.reason, forming.message, *forming.waiting_for):
        assert is_one_plain_line(text)


def test_what_a_server_or_a_proxy_says_is_one_plain_line() -> None:
    failure = failure_of("GET /x", 403, {"reason": ESCAPES, "message": ESCAPES}, {})
    assert is_one_plain_line(str(failure))


def test_the_operators_log_has_one_plain_line_for_each_record() -> None:
    record = logging.makeLogRecord({"msg": "Rendezvous %s: %s", "args": ("ns/run", ESCAPES)})
    assert operator_command._one_line_each(record)
    assert is_one_plain_line(record.getMessage())
    assert record.getMessage().startswith("Rendezvous ns/run: ")


@given(st.text())
def test_whatever_it_is_a_word_of_a_command_is_one_word_and_no_option(text: str) -> None:
    word = shell_word(text)
    assert is_one_plain_line(word)
    said = subprocess.run(["sh", "-c", f"printf '%s\\n' {word}"], capture_output=True, text=True, check=True).stdout
    assert said == printable(text).lstrip("-") + "\n"


def test_a_slot_in_an_advised_command_runs_nothing() -> None:
    member = parse_member(raw_member("a", slot=SHELL, nodeName="-oyaml; id"))
    (place,) = (place for place in places_of(member) if place.startswith("slot/"))
    assert shell_word(f"trusted={place}").startswith("'")
    assert shell_word(member.node_name) == "'oyaml; id'"


@pytest.mark.parametrize("text", ["two\nlines", "two\r\nlines", "two\u2028lines"])
def test_lines_are_joined_with_a_blank(text: str) -> None:
    assert one_line(text) == "two lines"


@given(st.lists(st.text(max_size=5), max_size=4))
def test_many_texts_are_cleaned_as_each_of_them_would_be(texts: list[str]) -> None:
    assert one_lines(texts) == tuple(map(one_line, texts))
