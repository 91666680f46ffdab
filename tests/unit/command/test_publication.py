"""What the sidecar says, and that those who ask read what was meant."""

import json
from pathlib import Path

import pytest

from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.sidecar.publication import Publication, SidecarState, parse_publication
from kube_rendezvous.sidecar.shared_files import SharedFiles
from kube_rendezvous.standing_round import StandingRound

FIRST = Publication(1, SidecarState.WAITING, "ns", "run", reason="Joining", message="no round yet")
ROUND = StandingRound("ns", "run", 3, 1, 2, "fd00::7", 4000, ("a", "b"))
OVER = Interruption(3, "HeartbeatLost", "node-1 is\nlost $(touch pwned)")
ALL = [
    FIRST,
    FIRST.formed(ROUND),
    FIRST.formed(ROUND).forming(OVER),
    FIRST.formed(ROUND).closed("done"),
    FIRST.left("Ended", "asked to end"),
    FIRST.waiting("TimedOut", "no answer"),
]


class TestPublication:
    @pytest.mark.parametrize("said", ALL)
    def test_is_read_back_as_it_was_written(self, said: Publication) -> None:
        assert parse_publication(json.loads(json.dumps(said.to_json()))) == said

    def test_each_one_has_a_greater_sequence(self) -> None:
        said = FIRST.formed(ROUND).forming(OVER).waiting("TimedOut", "").closed("")
        assert said.sequence == 5

    def test_a_round_that_is_over_is_named_with_its_place_until_the_next(self) -> None:
        said = FIRST.formed(ROUND).forming(OVER)
        assert (said.round, said.state) == (3, SidecarState.FORMING)
        assert "RENDEZVOUS_STATE=forming\nRENDEZVOUS_ROUND=3\nRANK=1\n" in said.to_env()
        assert not said.stands_after(0)

    def test_a_wait_that_times_out_after_a_round_does_not_say_that_there_never_was_one(self) -> None:
        assert FIRST.formed(ROUND).forming(OVER).waiting("TimedOut", "").state is SidecarState.FORMING

    def test_its_env_has_the_round_before_there_is_one_and_no_text_of_others(self) -> None:
        assert FIRST.to_env() == "RENDEZVOUS_STATE=waiting\nRENDEZVOUS_ROUND=0\nRENDEZVOUS_REASON=Joining\n"
        assert "pwned" not in FIRST.formed(ROUND).forming(OVER).to_env()

    @pytest.mark.parametrize(
        "obj",
        [
            None,
            [],
            "x",
            {},
            {"state": "formed"},
            FIRST.to_json() | {"state": "perhaps"},
            FIRST.to_json() | {"rank": "x"},
        ],
    )
    def test_anything_else_is_refused(self, obj: object) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse_publication(obj)

    def test_an_address_that_somebody_has_planted_is_refused(self) -> None:
        planted = FIRST.formed(ROUND).to_json() | {"master_addr": "$(touch pwned)"}
        with pytest.raises(ValueError, match="is no address"):
            parse_publication(planted)


class TestSharedFiles:
    def test_hold_what_was_said_and_anybody_may_read_them(self, tmp_path: Path) -> None:
        files = SharedFiles(tmp_path)
        assert files.read() is None
        for said in ALL:
            files.write(said)
            assert files.read() == said
            assert (tmp_path / "round.env").read_text() == said.to_env()
        assert {file.name for file in tmp_path.iterdir()} == {"round.env", "round.json"}
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o644}

    def test_a_folder_that_cannot_be_written_leaves_nothing_half_done(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            SharedFiles(tmp_path / "gone").write(FIRST)

    @pytest.mark.parametrize(
        ("text", "number"), [("3", 3), ("3\n", 3), (" 12 ", 12), ("", 0), ("x", 0), ("-1", 0), ("²", 0), ("9" * 100, 0)]
    )
    def test_the_trainers_answer_is_a_number_or_nothing(self, tmp_path: Path, text: str, number: int) -> None:
        (tmp_path / "ready").write_text(text)
        assert SharedFiles(tmp_path).stopped_round() == number

    def test_an_answer_for_an_earlier_life_is_forgotten(self, tmp_path: Path) -> None:
        (tmp_path / "ready").write_text("7")
        files = SharedFiles(tmp_path)
        files.forget_stopped_round()
        assert files.stopped_round() == 0
        files.forget_stopped_round()
