"""The soak in words."""

from survivor_soak.soak import Account


def summary(account: Account) -> str:
    """All of it, for the end."""
    a_minute = 60 * account.schedules / account.seconds if account.seconds else 0.0
    seconds, seed = account.slowest
    return "\n".join(
        [
            f"{account.schedules} schedules in {account.seconds:.0f} s ({a_minute:.1f} a minute):",
            *(f"  {act:<32} {count}" for act, count in sorted(account.acts.items())),
            f"  the slowest quiet came {seconds:.1f} s after the last blow, in schedule {seed}",
            *(["Nodes that ended:", *account.ends] if account.ends else []),
            *(["Violations:", *account.violations] if account.violations else ["Nothing was wrong."]),
        ]
    )
