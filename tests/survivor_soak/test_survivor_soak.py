"""A few schedules of the soak; `make soak-survivors` does 500."""

import pytest

from survivor_soak.report import summary
from survivor_soak.site import soak
from survivor_soak.soak import Account

SEEDS = range(100, 112)  # always the same: chance belongs into the long runs


@pytest.mark.timeout(600)
def test_whatever_is_lost_stopped_or_added_all_others_keep_their_processes_and_train_rightly() -> None:
    account = Account()
    soak(SEEDS, account, lambda _: None)
    assert account.violations == [], summary(account)
    assert account.schedules == len(SEEDS)
