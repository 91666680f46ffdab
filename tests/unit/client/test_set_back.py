"""What we write is younger than all that the watch told before; where it is not, the storage was set back."""

from typing import Any

import pytest

from kube_rendezvous.cluster.set_back import StorageSeen, is_older


def written(version: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version}}


@pytest.mark.parametrize(
    ("answer", "told", "older"),
    [
        pytest.param(written("9"), "10", True, id="older"),
        pytest.param(written("11"), "10", False, id="younger"),
        pytest.param(written("10"), "10", False, id="the watch was as fast as the answer"),
        pytest.param(written("9"), None, False, id="the watch has told nothing yet"),
        pytest.param(written("a9"), "b10", False, id="no numbers"),
        pytest.param(written(None), "10", False, id="an answer without a version"),
        pytest.param({}, "10", False, id="an answer without anything"),
    ],
)
def test_is_older(answer: dict[str, Any], told: str | None, older: bool) -> None:
    assert is_older(answer, told) is older


def test_what_the_watch_tells_while_a_write_is_under_way_says_nothing_about_it() -> None:
    told, found = ["10"], list[bool]()
    look_at = StorageSeen(lambda: told[0], lambda: found.append(True)).before()
    told[0] = "12"
    look_at(written("11"))
    assert not found


def test_it_is_said_once_until_the_watch_has_begun_anew() -> None:
    told, found = ["10"], list[bool]()
    seen = StorageSeen(lambda: told[0], lambda: found.append(True))
    for version in ("5", "6"):
        seen.before()(written(version))
    assert len(found) == 1
    told[0] = "7"
    seen.before()(written("8"))
    assert len(found) == 1
    seen.before()(written("3"))
    assert len(found) == 2
