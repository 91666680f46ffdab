"""What holds of a rendezvous of some size, and what does not, by example."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from performance.curves import draw_curves
from performance.scale_figures import Cost, Floor, Measured, Sizes, judge_scale, scale_as_json, sizes_from_json
from performance.sizes import scale_table

COST = Cost(client_cpu=0.010, server_cpu=0.008, requests=3, read=1000, written=500)
THEIRS = Measured(64, storm=2.0, told=0.1, again=0.5, join=COST, rejoin=COST, server_rss=300)


def test_a_size_is_held_to_a_share_of_the_other_commits_figures() -> None:
    ours = replace(THEIRS, storm=0.6, join=replace(COST, client_cpu=0.003, server_cpu=0.006))
    verdicts = {verdict.what.split(", ")[1]: verdict for verdict in judge_scale([Sizes(64, False, [ours], [THEIRS])])}
    assert verdicts["storm"].measured == pytest.approx(0.3)
    assert {what for what, verdict in verdicts.items() if not verdict.holds} == {"API server CPU to join"}


def test_without_another_commit_or_with_light_watchers_no_share_is_judged() -> None:
    assert not list(judge_scale([Sizes(64, False, [THEIRS]), Sizes(64, True, [THEIRS], [THEIRS])]))


def test_the_largest_size_of_real_handlers_is_held_to_seconds() -> None:
    verdicts = list(judge_scale([Sizes(999, False, [replace(THEIRS, nodes=999, storm=9.0)])]))
    assert [verdict.holds for verdict in verdicts] == [False, True, True]


def test_a_size_of_light_watchers_is_held_to_a_share_and_the_largest_to_seconds_and_memory() -> None:
    ours = replace(THEIRS, nodes=4000, server_rss=290, rejoin=replace(COST, read=50, written=50))
    shares = list(judge_scale([Sizes(4000, True, [ours], [THEIRS])]))
    assert [(round(one.measured, 2), one.holds) for one in shares] == [(0.07, True), (0.97, False)]
    largest = replace(THEIRS, nodes=10_000, told=3.5, operator_peak=190_000_000)
    verdicts = list(judge_scale([Sizes(10_000, True, [largest], deciding=0.07)]))
    assert [verdict.holds for verdict in verdicts] == [False, True, False]


def test_a_report_that_was_kept_before_the_operator_was_measured_can_be_read() -> None:
    kept = scale_as_json([Sizes(64, False, [THEIRS])], "")
    for one in kept["sizes"]:
        del one["deciding"], one["ours"][0]["operator_peak"], one["ours"][0]["operator_cpu"]
    assert sizes_from_json(kept) == [Sizes(64, False, [THEIRS], [])]


def test_the_report_says_who_played() -> None:
    report = scale_as_json([Sizes(4000, True, [THEIRS])], "")
    assert report["sizes"][0]["players"] == "light watchers"
    assert report["sizes"][0]["medians"]["bytes to join"] == 1500


def test_a_kept_report_gives_the_same_curves_each_time(tmp_path: Path) -> None:
    sizes = [Sizes(nodes, False, [replace(THEIRS, nodes=nodes)], [THEIRS]) for nodes in (8, 64)]
    kept = json.loads(json.dumps(scale_as_json(sizes, "7c85a93")))
    assert sizes_from_json(kept) == sizes
    for name in ("one.svg", "other.svg"):
        draw_curves(sizes_from_json(kept), "7c85a93", tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()


def test_the_floor_is_told_as_the_share_of_the_other_commits_cost_that_nobody_can_go_below() -> None:
    floor = (Floor(64, 0.4, Cost(client_cpu=0.002, server_cpu=0.004, requests=2, read=700, written=500)),)
    sizes = [Sizes(64, False, [THEIRS], [THEIRS], floor=floor)]
    assert sizes[0].floor_share("client CPU to join, s") == pytest.approx(0.2)
    kept = json.loads(json.dumps(scale_as_json(sizes, "7c85a93")))
    assert kept["sizes"][0]["floorShares"]["API server CPU to join, s"] == pytest.approx(0.5)
    assert sizes_from_json(kept) == sizes


def test_every_row_of_the_table_has_a_cell_a_column() -> None:
    floor = (Floor(64, 0.4, COST),)
    grown = replace(THEIRS, nodes=4000, grown=3.0, closed=0.5)
    sizes = [
        Sizes(8, False, [THEIRS], [], floor=floor),
        Sizes(64, False, [THEIRS], [THEIRS], floor=floor),
        Sizes(4000, True, [grown], [grown]),
    ]
    table = scale_table(sizes, "7c85a93")
    assert len(table.columns) == 1 + 2 + 5 + 3
    assert all(len(list(column.cells)) == table.row_count for column in table.columns)


def test_of_a_commit_whose_members_have_not_all_joined_again_there_are_bounds() -> None:
    theirs = replace(THEIRS, nodes=4000, unfinished=True)
    ours = replace(THEIRS, nodes=4000, rejoin=replace(COST, read=50, written=50))
    table = scale_table([Sizes(4000, True, [ours], [theirs])], "7c85a93")
    rows = dict(zip(*(list(table.columns[column].cells) for column in (0, 3)), strict=True))
    assert rows["bytes to join again"] == "< 7%"
    assert rows["bytes to join"] == "100%"
    assert [verdict.holds for verdict in judge_scale([Sizes(4000, True, [ours], [theirs])])] == [True, False]


def test_what_was_not_measured_of_the_other_commit_has_no_share() -> None:
    assert Sizes(64, False, [THEIRS], [THEIRS]).share("grown, s") is None
