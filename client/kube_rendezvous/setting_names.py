"""Which names a setting can have, and which one was probably meant: a mistyped one would be ignored without a word."""

from collections.abc import Iterable
from difflib import get_close_matches

SETTINGS = frozenset(
    {
        "address",
        "close_timeout",
        "context",
        "create",
        "join_timeout",
        "kubeconfig",
        "last_call_timeout",
        "name",
        "namespace",
        "read_timeout",
        "slot",
        "watch_neighbours",
    }
)
"""The keys of `--rdzv-conf`; docs/reference/settings.md has what they mean."""

_OTHERS = frozenset(
    {
        "ca_cert",
        "cacert",
        "cas_backoff_max_seconds",
        "cert",
        "etcd_prefix",
        "heartbeat_timeout",
        "is_host",
        "keep_alive_interval",
        "keep_alive_max_attempt",
        "key",
        "protocol",
        "rank",
        "ssl_cert",
        "ssl_cert_key",
        "store_type",
        "timeout",
        "use_libuv",
    }
)
"""What torch's launchers add by themselves, and what its own backends take: left over from one of them."""


def mistaken_settings(names: Iterable[str]) -> list[str]:
    """For each name that is nobody's, a sentence that says so and what may have been meant."""
    return [f"{name!r} is no setting{_meant(name)}" for name in sorted(set(names) - SETTINGS - _OTHERS)]


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like this one; "" if none is."""
    spelled = {_plain(one): one for one in sorted(known)}
    found = get_close_matches(_plain(name), spelled, n=1, cutoff=0.7)
    return spelled[found[0]] if found else ""


def _meant(name: str) -> str:
    near = nearest(name, SETTINGS)
    return f": did you mean {near!r}?" if near else f": there are {', '.join(sorted(SETTINGS))}"


def _plain(name: str) -> str:
    return name.strip().casefold().replace("-", "_")
