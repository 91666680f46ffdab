"""How fast a node may act."""

from kube_rendezvous.membership.pace import Pace


def acts_in(pace: Pace, seconds: float, since: float = 100.0) -> list[float]:
    """When a node acts that always would."""
    made: list[float] = []
    now = since
    while now < since + seconds:
        pause = pace.pause(now)
        if pause == 0:
            pace.acts(now)
            made.append(now - since)
        now += max(pause, 0.001)
    return made


def test_three_acts_are_free_then_there_is_one_a_second() -> None:
    made = acts_in(Pace(), 10)
    assert sum(1 for moment in made if moment < 0.5) == 3
    assert 10 <= len(made) <= 12


def test_time_without_acts_gives_them_back() -> None:
    pace = Pace()
    acts_in(pace, 5)
    assert sum(1 for moment in acts_in(pace, 1, since=200.0) if moment < 0.5) == 3
