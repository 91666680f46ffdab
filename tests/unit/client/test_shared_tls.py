"""Connections with the same credentials use one TLS context; what urllib3 must do by itself is left to it."""

import asyncio
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import kopf
import pytest
import urllib3

from kube_rendezvous.cluster.tls import share_tls
from kube_rendezvous_operator.shell.kopf_session import session_of
from rendezvous_local.node.certificates import make_server_certificate


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


@pytest.mark.parametrize("special", [{"ca_certs": None}, {"assert_hostname": "other"}, {"assert_hostname": False}])
def test_whoever_verifies_otherwise_shares_nothing(special: dict[str, object]) -> None:
    first, second = pool(**special), pool(**special)
    assert context_of(first, "special") is not context_of(second, "special")
    assert all(first.connection_pool_kw[key] == value for key, value in special.items())


def test_where_nothing_is_verified_nothing_is_changed() -> None:
    careless = pool(cert_reqs=ssl.CERT_NONE)
    assert context_of(careless, "careless") is None


def test_without_authorities_of_ones_own_those_of_the_machine_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    context = context_of(pool(ca_certs=None), "none")
    assert context is not None
    assert context.cert_store_stats()["x509_ca"] > 0


def test_a_file_that_cannot_be_read_is_left_for_the_connection_to_report(tmp_path: Path) -> None:
    missing = pool(ca_certs=str(tmp_path / "none.pem"))
    context_of(missing, "missing")
    assert missing.connection_pool_kw["ca_certs"] == str(tmp_path / "none.pem")


def test_a_context_that_somebody_has_put_in_the_place_of_pythons_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Other(ssl.SSLContext):
        __slots__ = ("more",)

    monkeypatch.setattr("urllib3.util.ssl_.SSLContext", Other)
    assert type(context_of(pool(), "of others")) is Other


class Answering(http.server.BaseHTTPRequestHandler):
    """As an API server would."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URL of one whose authority has no key usage, and that authority's file."""
    folder = tmp_path_factory.mktemp("certificates")
    make_server_certificate(folder, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}/", folder / "authority.crt"
        server.shutdown()
        thread.join()


class TestAuthoritiesOfOlderClusters:
    """Python 3.13 and newer refuse, by themselves, authorities without key usage: those of some clusters are such."""

    @pytest.fixture(autouse=True)
    def as_newer_pythons(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What urllib3 and ssl do there, on every Python."""
        import urllib3.util.ssl_ as urllib3_tls

        by_urllib3, by_python = urllib3_tls.create_urllib3_context, ssl.create_default_context

        def strict(make: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
            def made(*given: Any, **how: Any) -> ssl.SSLContext:
                context = make(*given, **how)
                context.verify_flags |= ssl.VERIFY_X509_STRICT
                return context

            return made

        monkeypatch.setattr(urllib3_tls, "create_urllib3_context", strict(by_urllib3))
        monkeypatch.setattr("urllib3.connection.create_urllib3_context", strict(by_urllib3))
        monkeypatch.setattr(ssl, "create_default_context", strict(by_python))

    def test_one_is_refused_where_nothing_is_done_about_it(self, server: tuple[str, Path]) -> None:
        with pytest.raises(urllib3.exceptions.MaxRetryError, match="key usage"):
            pool(ca_certs=str(server[1])).request("HEAD", server[0], retries=0)

    @pytest.mark.parametrize("special", [{}, {"assert_hostname": "127.0.0.1"}])
    def test_one_is_taken(self, server: tuple[str, Path], special: dict[str, object]) -> None:
        url, authority = server
        ours = pool(ca_certs=str(authority), **special)
        context_of(ours, f"older{special}")
        assert ours.request("HEAD", url, retries=0).status == 200

    def test_one_is_taken_by_kopf_too(self, server: tuple[str, Path]) -> None:
        url, authority = server

        async def ask() -> int:
            found = kopf.ConnectionInfo(server=url, ca_path=str(authority))
            async with session_of(found) as session, session.head(url) as answer:
                return answer.status

        assert asyncio.run(ask()) == 200

    def test_another_ones_is_refused_as_ever(self, server: tuple[str, Path]) -> None:
        stranger = pool()
        context_of(stranger, "stranger")
        with pytest.raises(urllib3.exceptions.MaxRetryError, match="CERTIFICATE_VERIFY_FAILED"):
            stranger.request("HEAD", server[0], retries=0)
