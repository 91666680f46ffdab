"""A group whose rounds and engine the test drives."""

from collections.abc import Iterator

import pytest

from kube_rendezvous.survival.group import Group
from unit.survival.fake_group_parts import FakeEngine, FakeSource, Progress


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def progress() -> Progress:
    return Progress()


@pytest.fixture
def group(source: FakeSource, engine: FakeEngine, progress: Progress) -> Iterator[Group]:
    with Group(source, engine, progress=lambda: progress.steps, news_timeout=0.05) as group:
        yield group
