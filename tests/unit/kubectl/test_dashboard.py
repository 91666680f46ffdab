"""What the dashboard shows, what of it changes, and who may ask for it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kube_rendezvous.resources import Forming, PastRound, Ranking
from kube_rendezvous_core import ObservedNode
from kubectl_rendezvous.causes import find_causes
from kubectl_rendezvous.dashboard.differences import difference, is_news
from kubectl_rendezvous.dashboard.feed import Feed, Feeds
from kubectl_rendezvous.dashboard.place_paths import paths_of_members
from kubectl_rendezvous.dashboard.views import View, list_view, rendezvous_view
from kubectl_rendezvous.dashboard.visitors import Refusal, admit
from kubectl_rendezvous.observation import Observation
from unit.kubectl.observations import NOW, ago, member, members, observe, pod, rendezvous, standing

TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}txt.exe"


def view_of(observation: Observation) -> View:
    """The view, as it goes to the browser."""
    view: View = json.loads(json.dumps(rendezvous_view(observation, find_causes(observation), [(NOW, "It began.")])))
    return view


def link(mode: str, destination: str) -> dict[str, list[str]]:
    """What a browser says of how it came to ask."""
    return {"sec-fetch-mode": [mode], "sec-fetch-dest": [destination]}


def applied(view: View, change: View) -> View:
    """As page/view.js does it."""
    after = {**view, **change.get("set", {})}
    for part in change.get("unset", []):
        del after[part]
    for part, keys in change.get("gone", {}).items():
        after[part] = {key: row for key, row in after[part].items() if key not in keys}
    for part, rows in change.get("rows", {}).items():
        after[part] = {**after[part], **rows}
    return after


def test_members_are_shown_with_rank_standing_and_moments() -> None:
    again = member("b-x", after_round=3)
    seen = observe(
        rendezvous(standing("a-x b-x c-x")), members=(member("a-x", pod="a", silence=2), again, member("d-x"))
    )
    shown = view_of(seen)["members"]
    assert {name: (row["rank"], row["standing"]) for name, row in shown.items()} == {
        "a-x": (0, "in"),
        "b-x": (1, "again"),
        "c-x": (2, "gone"),
        "d-x": (None, "standby"),
    }
    assert shown["a-x"]["pod"] == "a"
    assert shown["a-x"]["renewed"] == ago(2).timestamp()
    assert shown["c-x"]["renewed"] is None
    assert "maxNodes" not in shown["a-x"]["why"]


def test_while_a_round_is_formed_it_is_told_whom_it_waits_for_and_newcomers_wait() -> None:
    forming = Forming(4, "MemberLost", "b-x is silent", True, ago(5), arrived=1, required=2, waiting_for=("c-x",))
    seen = observe(rendezvous(standing("a-x b-x", forming=forming)), members=members("a-x b-x n-x"))
    view = view_of(seen)
    assert view["forming"]["waitingFor"] == ["c-x"]
    assert view["forming"]["since"] == ago(5).timestamp()
    assert view["members"]["n-x"]["standing"] == "waiting"


def test_the_newest_round_comes_first_with_the_time_that_it_took() -> None:
    def past(number: int, reason: str) -> PastRound:
        return PastRound(number, reason, "m", 2, ("a-x",), 1, (), 0, 0, ago(100 - number), 4.0)

    status = standing("a-x b-x", history=(past(1, "FirstRound"), past(2, "MemberLost")))
    rounds = view_of(observe(rendezvous(status), members=members("a-x b-x")))["rounds"]
    assert [(one["round"], one["lostSeconds"]) for one in rounds] == [(2, 4.0), (1, 0.0)]


def test_no_text_can_turn_what_the_reader_sees() -> None:
    seen = observe(
        rendezvous(standing("a-x")), members=(member("a-x", node_name=TURNED),), pods=(pod("p", why=TURNED),)
    )
    for view in (view_of(seen), list_view([seen.seen], TURNED, NOW)):
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in json.dumps(view, ensure_ascii=False)


def test_domains_come_from_nodes_or_else_from_what_the_operator_saw() -> None:
    ranking = Ranking(topology_keys=("zone", "rack"))
    status = standing("a-x b-x", domains=("z1/r1", "z1/r2"))
    placed = (member("a-x", node_name="n1"), member("b-x", node_name="n2"), member("c-x"))
    node = ObservedNode(name="n1", labels={"zone": "z9", "rack": "r9"})
    known = observe(rendezvous(status, ranking=ranking), members=placed, nodes={"n1": node})
    assert paths_of_members(known) == {"a-x": ("z9", "r9"), "b-x": ("z1", "r2"), "c-x": ("", "")}
    blind = observe(rendezvous(status, ranking=ranking), members=placed, nodes=None)
    assert paths_of_members(blind)["a-x"] == ("z1", "r1")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"now": 1, "members": {"a": {"r": 0}, "b": {"r": 1}}}, {"now": 2, "members": {"b": {"r": 0}, "c": {"r": 1}}}),
        ({"now": 1, "head": {"x": 1}, "members": {}}, {"now": 2, "head": None, "missing": "gone"}),
        ({"now": 1, "head": None, "missing": "gone"}, {"now": 2, "head": {"x": 1}, "members": {"a": {}}}),
        ({"now": 1, "rendezvous": {"n/a": {}}}, {"now": 2, "rendezvous": {"n/a": {}}}),
    ],
)
def test_a_view_and_its_difference_give_the_next_view(before: View, after: View) -> None:
    assert applied(before, difference(before, after)) == after


def test_a_heartbeat_sends_one_row_of_a_thousand() -> None:
    rows = {f"m{number}": {"renewed": 1} for number in range(1000)}
    change = difference({"now": 1, "members": rows}, {"now": 2, "members": {**rows, "m7": {"renewed": 2}}})
    assert change == {"set": {"now": 2}, "rows": {"members": {"m7": {"renewed": 2}}}}


def test_the_clock_alone_is_no_news() -> None:
    assert not is_news(difference({"now": 1, "head": {}}, {"now": 2, "head": {}}))
    assert is_news(difference({"now": 1, "head": {}}, {"now": 2, "head": {"x": 1}}))


def test_one_thread_follows_for_all_who_look_and_ends_with_the_last() -> None:
    began: list[Any] = []

    def follow(namespace: str, name: str, feed: Feed, over: Any) -> None:
        began.append(over)
        feed.publish({"now": len(began)})

    feeds = Feeds(follow)
    first, second = feeds.enter("ml", "run"), feeds.enter("ml", "run")
    assert first is second
    assert first.wait(0, 10.0) == (1, {"now": 1})
    assert first.wait(1, 0.0) == (1, None)
    feeds.leave("ml", "run")
    assert not began[0].is_set()
    feeds.leave("ml", "run")
    assert began[0].is_set()
    assert feeds.enter("ml", "run").wait(0, 10.0) == (1, {"now": 2})


@pytest.mark.parametrize(
    ("path", "headers", "answer"),
    [
        ("/s3cret/events", {"host": ["127.0.0.1:8001"]}, "events"),
        ("/s3cret/", {"host": ["localhost:9000"], "origin": ["http://localhost:9000"]}, ""),
        ("/s3cret/", {"host": ["localhost"]}, ""),
        ("/s3cret", {"host": ["localhost"]}, 403),
        ("/s3cretx/", {"host": ["localhost"]}, 403),
        ("//s3cret/", {"host": ["localhost"]}, 403),
        ("s3cret/", {"host": ["localhost"]}, 403),
        ("/s3cret/", {}, 421),
        ("/s3cret/", {"host": ["localhost", "localhost"]}, 421),
        ("/s3cret/", {"host": ["rebound.example:8001"]}, 421),
        ("/s3cret/", {"host": ["localhost.example"]}, 421),
        ("/s3cret/", {"host": ["x@localhost"]}, 421),
        ("/s3cret/", {"host": ["localhost:x"]}, 421),
        ("/s3cret/", {"host": ["[::1"]}, 421),
        ("/s3cret/", {"host": ["localhost:1"], "origin": ["http://localhost:2"]}, 403),
        ("/s3cret/", {"host": ["localhost:1"], "origin": ["https://localhost:1"]}, 403),
        ("/s3cret/", {"host": ["localhost:1"], "origin": ["null"]}, 403),
        ("/s3cret/", {"host": ["localhost:1"], "sec-fetch-site": ["cross-site"]}, 403),
        ("/s3cret/", {"host": ["localhost:1"], "sec-fetch-site": ["cross-site"], **link("navigate", "document")}, ""),
        ("/s3cret/", {"host": ["localhost:1"], "sec-fetch-site": ["cross-site"], **link("navigate", "iframe")}, 403),
        ("/s3cret/", {"host": ["localhost:1"], "sec-fetch-site": ["cross-site"], **link("no-cors", "script")}, 403),
    ],
)
def test_only_its_own_page_is_admitted(path: str, headers: Mapping[str, list[str]], answer: str | int) -> None:
    found = admit("s3cret", path, headers)
    assert (found.status if isinstance(found, Refusal) else found) == answer
