"""Where only slices can name a round, who reads none is told so; everywhere else it takes part."""

from kube_rendezvous.resources import MOST_NAMED_IN_STATUS
from kube_rendezvous_core import decide
from unit.core.builders import NOW, crowd, rendezvous, stands

LARGE = MOST_NAMED_IN_STATUS + 1


def test_in_a_rendezvous_that_the_status_can_name_an_older_client_takes_part() -> None:
    status = decide(rendezvous(max_nodes=MOST_NAMED_IN_STATUS, last_call_seconds=0), crowd("a b"), NOW).status
    assert (status.ranks, status.refused) == (("a", "b"), ())


def test_in_a_larger_one_it_is_refused_with_a_sentence_and_the_others_form_their_round() -> None:
    members = [*crowd("old"), *crowd("a b", reads_slices=True)]
    status = decide(rendezvous(max_nodes=LARGE, last_call_seconds=0), members, NOW).status
    assert status.ranks == ("a", "b")
    [refused] = status.refused
    assert (refused.member, "older" in refused.message, "rendezvousslices" in refused.message) == ("old", True, True)


def test_who_holds_a_rank_keeps_it_while_its_round_stands() -> None:
    standing = stands("old a", max_nodes=LARGE)
    members = [*crowd("old", after_round=2), *crowd("a", after_round=2, reads_slices=True)]
    status = decide(standing, members, NOW).status
    assert (status.ranks, status.forming, status.refused) == (("old", "a"), None, ())


def test_who_waits_again_is_refused_then() -> None:
    standing = stands("old a", max_nodes=LARGE)
    members = [*crowd("old", after_round=3), *crowd("a", after_round=2, reads_slices=True)]
    status = decide(standing, members, NOW).status
    assert [one.member for one in status.refused] == ["old"]


def test_a_refused_one_that_leaves_is_forgotten() -> None:
    members = [*crowd("old", leaving=True), *crowd("a b", reads_slices=True)]
    decision = decide(rendezvous(max_nodes=LARGE, last_call_seconds=0), members, NOW)
    assert (decision.status.ranks, decision.status.refused) == (("a", "b"), ())
