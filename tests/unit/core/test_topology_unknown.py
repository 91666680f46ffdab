"""A wish for topology that cannot be fulfilled is said in a condition, with what to do."""

from dataclasses import replace

import pytest

from kube_rendezvous.resources import Condition, LabelSelector, Ranking, Rendezvous
from kube_rendezvous_core import Decision, ObservedNode, Surroundings, decide
from unit.core.builders import at, crowd, rendezvous, then

WISH = Ranking(("topology.kubernetes.io/zone", "example.com/rack"))
REFUSED = Surroundings(nodes_refused=True)
NOT_YET = Surroundings()
VISIBLE = Surroundings(nodes={"node-a": ObservedNode("node-a")})


def judged(before: Rendezvous, surroundings: Surroundings, seconds: float = 0) -> Decision:
    return decide(before, crowd("a b c d"), at(seconds), surroundings=surroundings)


def unknown(decision: Decision) -> Condition | None:
    return next((c for c in decision.status.conditions if c.type == "TopologyUnknown"), None)


def test_it_names_the_wish_the_right_that_is_missing_and_what_to_do() -> None:
    decision = judged(rendezvous(ranking=WISH), REFUSED)
    condition = unknown(decision)
    assert condition is not None
    assert (condition.status, condition.reason) == ("True", "NodesNotVisible")
    for part in ("zone", "rack", "no effect", "list and watch on nodes", "ClusterRole", "remove spec.ranking"):
        assert part in condition.message
    assert decision.status.round == 1, "the round is formed all the same"


@pytest.mark.parametrize(
    ("ranking", "surroundings"),
    [
        pytest.param(WISH, VISIBLE, id="nodes are visible"),
        pytest.param(WISH, NOT_YET, id="not known yet"),
        pytest.param(Ranking(), REFUSED, id="nobody wishes for it"),
    ],
)
def test_it_is_absent_as_long_as_it_never_held(ranking: Ranking, surroundings: Surroundings) -> None:
    assert unknown(judged(rendezvous(ranking=ranking), surroundings)) is None


def test_a_wish_for_rank_zero_needs_the_nodes_too() -> None:
    wish = Ranking(rank_zero_avoid=LabelSelector((("spot", "true"),)))
    condition = unknown(judged(rendezvous(ranking=wish), REFUSED))
    assert condition is not None
    assert "rankZero" in condition.message


def test_it_is_announced_once() -> None:
    first = judged(rendezvous(ranking=WISH), REFUSED)
    assert "TopologyUnknown" in [a.reason for a in first.announcements]
    again = judged(then(rendezvous(ranking=WISH), first), REFUSED, 5)
    assert "TopologyUnknown" not in [a.reason for a in again.announcements]
    assert again.status == first.status, "and nothing is written again"


def test_it_ends_when_the_nodes_are_visible_and_stands_while_a_new_operator_does_not_know_yet() -> None:
    before = then(rendezvous(ranking=WISH), judged(rendezvous(ranking=WISH), REFUSED))
    assert judged(before, NOT_YET, 5).status == before.status
    ended = unknown(judged(before, VISIBLE, 5))
    assert ended is not None
    assert (ended.status, ended.reason) == ("False", "NothingHidden")


def test_it_ends_when_nobody_wishes_for_it_any_more() -> None:
    before = then(rendezvous(ranking=WISH), judged(rendezvous(ranking=WISH), REFUSED))
    ended = unknown(judged(replace(before, spec=replace(before.spec, ranking=Ranking())), REFUSED, 5))
    assert ended is not None
    assert ended.status == "False"
