"""The demonstration follows the file to which the workers append."""

from pathlib import Path

import pytest

from rendezvous_demo.training_log import TrainingLog, epochs_done, parse_step

LINE = (
    '{"time": 1.5, "rank": 0, "worldSize": 4, "epoch": 3, "step": 11, "steps": 12, "loss": 0.5, "restarts": 1,'
    ' "masterAddr": "10.0.0.1", "masterPort": 5001, "pid": 77}'
)


def test_a_line_is_read() -> None:
    step = parse_step(LINE)
    assert (step.rank, step.world_size, step.epoch, step.master, step.pid) == (0, 4, 3, ("10.0.0.1", 5001), 77)
    assert step.ends_epoch
    assert (step.at, step.position) == (1.5, 3 * 12 + 11)


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    log = TrainingLog(file)
    log.follow()  # nobody has written yet
    file.write_text(f"{LINE}\n{LINE[:40]}")
    log.follow()
    assert len(log.steps) == 1
    with file.open("a") as stream:
        stream.write(f"{LINE[40:]}\n")
    log.follow()
    assert log.steps == [parse_step(LINE)] * 2


def test_only_whole_epochs_of_rank_0_in_that_round_count() -> None:
    steps = [
        parse_step(LINE),
        parse_step(LINE.replace('"step": 11', '"step": 10')),
        parse_step(LINE.replace('"rank": 0', '"rank": 1')),
        parse_step(LINE.replace("5001", "5002")),
    ]
    assert epochs_done(steps, ("10.0.0.1", 5001)) == 1


def test_a_line_of_somebody_else_is_an_error() -> None:
    with pytest.raises(KeyError):
        parse_step("{}")
