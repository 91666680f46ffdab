"""What the tests of survivors conclude from the lines of their trainers."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from integration.survival.traces import Line, Trace, falls, read_together, unequal_weights, wrong_samples


def line(did: str, step: int, number: int = 1, **fields: object) -> Line:
    """A line of process 7 with rank 0, unless `fields` say otherwise."""
    return Line(**{"at": 0.0, "pid": 7, "did": did, "step": step, "round": number, "world": 2} | fields)  # type: ignore[arg-type]


def begins(step: int, *indices: int, number: int = 1, epoch: int = 0) -> Line:
    return line("begin", step - 1, number, indices=indices, epoch=epoch)


def done(step: int, number: int = 1, **fields: object) -> Line:
    return line("step", step, number, **fields)


class TestFalls:
    def test_one_step_may_be_undone(self) -> None:
        assert falls([done(4), line("took", 3, 2), done(4, 2)]) == []

    def test_more_than_one_may_not(self) -> None:
        assert falls([done(4), line("took", 2, 2)]) == ["process 7 fell from step 4 to 2 in round 2"]

    def test_another_process_in_the_same_place_starts_anew(self) -> None:
        assert falls([done(4), line("start", 0, pid=8)]) == []


class TestUnequalWeights:
    def test_are_those_of_one_step_in_one_round(self) -> None:
        assert unequal_weights([done(1, weights=5), done(1, weights=6)]) != []

    def test_a_step_that_was_undone_may_have_had_others(self) -> None:
        assert unequal_weights([done(1, 1, weights=5), done(1, 2, weights=6)]) == []


class TestWrongSamples:
    """Four samples, two a step: an epoch is two steps."""

    FIRST = (begins(1, 0), begins(1, 1), done(1))

    def test_each_sample_once_is_right(self) -> None:
        assert wrong_samples([*self.FIRST, begins(2, 2), begins(2, 3), done(2)], 4, 2) == []

    def test_a_repeated_sample_and_one_that_is_left_out_are_found(self) -> None:
        found = wrong_samples([*self.FIRST, begins(2, 2), begins(2, 1), done(2)], 4, 2)
        assert found == ["epoch 0: repeated [1], left out [3]"]

    def test_a_step_that_was_not_done_counts_when_it_is_done_again(self) -> None:
        undone = begins(2, 2), begins(2, 3)
        again = begins(2, 2, 3, number=2), done(2, 2)
        assert wrong_samples([*self.FIRST, *undone, *again], 4, 2) == []

    def test_of_a_step_that_was_done_twice_the_last_doing_counts(self) -> None:
        twice = begins(2, 2), begins(2, 3), done(2), begins(2, 2, 3, number=2), done(2, 2)
        assert wrong_samples([*self.FIRST, *twice], 4, 2) == []

    def test_who_died_after_the_step_has_given_its_samples(self) -> None:
        assert wrong_samples([*self.FIRST, begins(2, 2), begins(2, 3), done(2)], 4, 2) == []

    def test_an_epoch_that_was_not_seen_to_its_end_is_not_judged(self) -> None:
        assert wrong_samples([*self.FIRST, begins(2, 2)], 4, 2) == []


class TestReadTogether:
    """Trainers go on while their traces are read, one after another."""

    def test_a_step_that_is_done_meanwhile_is_not_taken_for_one_without_samples(self, tmp_path: Path) -> None:
        first, second = Trace(tmp_path / "first"), tmp_path / "second"

        def write(file: Path, did: str, step: int, *indices: int) -> None:
            said = {"at": time.monotonic(), "pid": 7, "did": did, "step": step, "round": 1, "indices": indices}
            with file.open("a") as lines:
                lines.write(json.dumps(said) + "\n")

        def both_do(step: int, one: int, other: int) -> None:
            write(tmp_path / "first", "begin", step - 1, one)
            write(second, "begin", step - 1, other)
            write(tmp_path / "first", "step", step)
            write(second, "step", step)

        class ReadLate(Trace):
            """Between the other's reading and this one's a step is done."""

            @property
            def lines(self) -> Sequence[Line]:
                both_do(2, 2, 3)
                return super().lines

        both_do(1, 0, 1)
        lines = read_together([first, ReadLate(second)])
        assert wrong_samples(lines, 4, 2) == []
        assert [line.step for line in lines if line.did == "step"] == [1, 1]
