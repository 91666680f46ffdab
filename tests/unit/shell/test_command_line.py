"""The operator's command line: what it refuses, and what it says when it cannot start."""

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_rendezvous_operator.__main__ import main


@pytest.fixture(autouse=True)
def nothing_else_is_changed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process' hooks and its logging are as before afterwards."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--lease-seconds", "1"], "1 is not between 2 and 600"),
        (["--lease-seconds", "soon"], "invalid whole number value: 'soon'"),
        (["--workers", "0"], "0 is not between 1 and 64"),
        (["--liveness", "http://0.0.0.0:8080/healthz"], "unrecognized arguments: --liveness"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_it_refuses_with_a_sentence(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_the_help_names_the_exit_status_and_the_pages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for part in ("/livez, /readyz, /startupz and /metrics", "Exit status 3", "the fields timestamp, severity, message"):
        assert part in text


def test_without_credentials_it_ends_with_status_2_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    assert main(["--log-format", "json"]) == 2
    assert "Cannot start: No credentials for a Kubernetes API server" in caplog.text
