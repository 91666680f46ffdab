"""Which of torch's tests say nothing of a rendezvous backend, or of none but c10d's: each with its reason."""

import re

# (file, test, reason): the first two are patterns of the whole name.
_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        ".*/dynamic_rendezvous_test.py",
        "IntegrationTest.test_redundancy_.*",
        "it reads spares from c10d's own state; ours: tests/integration/handlers/test_standby.py",
    ),
    (
        ".*/dynamic_rendezvous_test.py",
        "IntegrationTest.test_share_tcp_store_.*",
        "it puts mocks in the place of torch's stores; this backend makes real ones",
    ),
)


def reason(file: str, test: str) -> str | None:
    """Why this test does not apply; None: it does.

    Args:
        file: its path below `test/distributed`.
        test: `Class.method`.
    """
    for of_file, of_test, why in _REASONS:
        if re.fullmatch(of_file, file) and re.fullmatch(of_test, test):
            return why
    return None
