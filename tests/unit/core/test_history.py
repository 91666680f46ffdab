"""The newest ten rounds: number, why, size, who came, who went, how long it took."""

from unit.core.builders import NOW, at, crowd, outcome, rendezvous, seen, stands, told


def test_a_round_records_why_it_was_formed_who_came_and_went_and_how_long_it_took() -> None:
    before = stands("a b c", status={"forming": told(reason="MemberLeft", message="c left", since=NOW)})
    members = [*crowd("a b", after_round=3), seen("x"), seen("y")]
    newest = outcome(before, members, 12.5).history[0]
    assert (newest.round, newest.reason, newest.message, newest.world_size) == (4, "MemberLeft", "c left", 4)
    assert (newest.joined, newest.joined_count, newest.left, newest.left_count) == (("x", "y"), 2, ("c",), 1)
    assert (newest.moved_ranks, newest.formed_at, newest.forming_seconds) == (2, at(12.5), 12.5)


def test_the_newest_ten_rounds_are_kept_newest_first() -> None:
    status = outcome(rendezvous(max_nodes=2), crowd("a b"))
    for number in range(1, 15):
        status = outcome(rendezvous(status, max_nodes=2), crowd("a b", after_round=number), number)
    assert [past.round for past in status.history] == list(range(15, 5, -1))


def test_at_most_ten_names_are_kept_but_all_are_counted() -> None:
    names = " ".join(f"n-{i}" for i in range(14))
    newest = outcome(rendezvous(max_nodes=14), crowd(names)).history[0]
    assert (len(newest.joined), newest.joined_count) == (10, 14)


def test_a_clock_that_went_back_does_not_make_a_negative_duration() -> None:
    before = stands("a b", status={"forming": told(since=at(60))})
    assert outcome(before, crowd("a b", after_round=3)).history[0].forming_seconds == 0.0
