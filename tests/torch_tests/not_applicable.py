"""Which of torch's tests say nothing of a rendezvous backend, or of none but torch's own: each with its reason."""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class _Rule:
    """Args: patterns of the whole file and of the whole test; why; whether only if file and torch differ in release."""

    file: str
    test: str
    why: str
    of_another_release: bool = False


_RULES = (
    _Rule(
        "elastic/agent/server/test/api_test.py",
        "SimpleElasticAgentTest.test_get_(event|worker_status_event)",
        "it asserts that the backend is called static",
    ),
    _Rule(
        "elastic/agent/server/test/api_test.py",
        "SimpleElasticAgentTest.test_run_(happy_path|initialization_failure|max_retries_exceeded|membership_change)",
        "its agent lacks a parameter that torch's newer agents have",
        of_another_release=True,
    ),
    _Rule(
        "elastic/rendezvous/dynamic_rendezvous_test.py",
        "IntegrationTest.test_redundancy_.*",
        "it reads spares from c10d's own state; ours: tests/integration/handlers/test_standby.py",
    ),
    _Rule(
        "elastic/rendezvous/dynamic_rendezvous_test.py",
        "IntegrationTest.test_share_tcp_store_.*",
        "it puts mocks in the place of torch's stores; this backend makes real ones",
    ),
    _Rule(
        "launcher/.*",
        "ElasticLaunchTest.test_init_method_tcp_with_torchelastic",
        "it gives the port of the store, as only the static rendezvous lets a user do",
    ),
)


_OF_A_BACKEND = re.compile("_(c10d|etcd_v2|etcd)$")


def repetitions(tests: Iterable[str]) -> dict[str, str]:
    """Which tests differ from an earlier one in the backend alone, whose place ours takes; with that one."""
    first: dict[str, str] = {}
    return {test: one for test in tests if (one := first.setdefault(_OF_A_BACKEND.sub("", test), test)) != test}


def reason(file: str, test: str, *, same_release: bool = True) -> str | None:
    """Why this test does not apply; None: it does.

    Args:
        file: its path below `test/distributed`.
        test: `Class.method`.
        same_release: whether the file is of the release of torch that is installed.
    """
    for rule in _RULES:
        if re.fullmatch(rule.file, file) and re.fullmatch(rule.test, test):
            if rule.of_another_release and same_release:
                continue
            return rule.why
    return None
