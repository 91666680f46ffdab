"""Two minutes of the soak; `make soak` does half an hour."""

import pytest

from soak.report import summary
from soak.run import Account
from soak.site import soak

SECONDS = 120.0
SEED = 20260523  # always the same blows: chance belongs into the long runs


@pytest.mark.timeout(600)
def test_random_blows_break_nothing_hang_nobody_and_leave_nothing_over() -> None:
    account = Account(SEED, members=16)
    log = soak(account, SECONDS, lambda _: None)
    assert account.violations == [], f"{summary(account)}\n{log}"
    assert account.rounds > 10, summary(account)
    assert account.blows.keys() >= {"death", "deletion", "departure", "arrival", "operator kill"}, summary(account)
    assert account.growth is not None, "no operator lived long enough to tell whether its memory is flat"
