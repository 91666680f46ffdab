"""What is said where JAX is not the one that was tried. Rounds themselves: tests/integration/survival."""

import importlib.metadata
import signal

import pytest

from kube_rendezvous.survival import jax_runtime
from unit.raising_signals import SignalError, raising_signal


def installed(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    def say(_: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError("jax")
        return version

    monkeypatch.setattr(importlib.metadata, "version", say)


@pytest.mark.parametrize("version", jax_runtime.KNOWN_VERSIONS)
def test_known_versions_are_taken(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    installed(monkeypatch, version)
    jax_runtime.require_known_jax()


def test_of_another_it_is_said_what_was_tried_and_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "0.99.0")
    with pytest.raises(jax_runtime.UnknownJaxError, match=r"JAX 0\.99\.0 .*0\.10\.2.*without --keep-survivors"):
        jax_runtime.enter("127.0.0.1:1", 1, 0, timeout=1.0)


def test_that_there_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, None)
    with pytest.raises(jax_runtime.UnknownJaxError, match="not installed"):
        jax_runtime.require_known_jax()


def test_in_no_round_there_is_nothing_to_ask_and_nothing_to_free() -> None:
    jax_runtime.interrupt()
    with pytest.raises(jax_runtime.RoundLostError, match="in no round"):
        jax_runtime.publish("roster", "a")
    with pytest.raises(jax_runtime.RoundLostError, match="in no round"):
        jax_runtime.lookup("roster", timeout=1.0)


class Service:
    """JAX's client, in whose calls the signal comes."""

    def key_value_set(self, *_: object) -> None:
        signal.raise_signal(signal.SIGUSR1)

    def blocking_key_value_get(self, *_: object) -> None:
        signal.raise_signal(signal.SIGUSR1)


def test_what_a_signals_handler_raises_says_nothing_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_runtime, "_client", Service)
    monkeypatch.setattr(jax_runtime, "_answers", lambda _: True)
    with raising_signal():
        with pytest.raises(SignalError):
            jax_runtime.publish("roster", "a")
        with pytest.raises(SignalError):
            jax_runtime._get(Service(), "roster", 1.0)
