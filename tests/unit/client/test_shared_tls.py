"""Connections with the same credentials use one TLS context; what urllib3 must do by itself is left to it."""

import ssl
from pathlib import Path

import certifi
import pytest
import urllib3

from kube_rendezvous.cluster.tls import share_tls


def pool(**changes: object) -> urllib3.PoolManager:
    given = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": certifi.where(), "cert_file": None, "key_file": None}
    return urllib3.PoolManager(**{**given, **changes})


def context_of(pool: urllib3.PoolManager, fingerprint: str) -> ssl.SSLContext | None:
    share_tls(pool, fingerprint)
    context = pool.connection_pool_kw.get("ssl_context")
    assert context is None or isinstance(context, ssl.SSLContext)
    return context


def test_the_same_credentials_share_a_context_that_verifies_and_others_have_their_own() -> None:
    one = context_of(pool(), "one")
    assert one is not None
    assert one is context_of(pool(), "one")
    assert one is not context_of(pool(), "other")
    assert (one.verify_mode, one.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    "special",
    [{"cert_reqs": ssl.CERT_NONE}, {"ca_certs": None}, {"assert_hostname": "other"}, {"assert_hostname": False}],
)
def test_whoever_verifies_otherwise_shares_nothing(special: dict[str, object]) -> None:
    other = pool(**special)
    assert context_of(other, "special") is None
    assert all(other.connection_pool_kw[key] == value for key, value in special.items())


def test_a_file_that_cannot_be_read_is_left_for_the_connection_to_report(tmp_path: Path) -> None:
    missing = pool(ca_certs=str(tmp_path / "none.pem"))
    assert context_of(missing, "missing") is None
    assert missing.connection_pool_kw["ca_certs"] == str(tmp_path / "none.pem")
