"""The command line: its variables, its refusals, its help, and that it is light."""

import subprocess
import sys
from pathlib import Path

import pytest

from kube_rendezvous.command.options import split_address
from kube_rendezvous.command.parser import parse


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NAME", "NNODES", "DIR", "LISTEN", "GRACE", "WAIT_FOR_TRAINER"):
        monkeypatch.delenv(f"KUBE_RENDEZVOUS_{name}", raising=False)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


class TestOptions:
    def test_a_variable_that_is_probably_an_options_mistyped_is_said(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("JOIN_TIMOUT", "NAMESPCE"):
            monkeypatch.setenv(f"KUBE_RENDEZVOUS_{name}", "5")
        parse(["run", "--name", "my-run", "--nnodes", "2", "--", "python"])
        assert capsys.readouterr().err.splitlines() == [
            "kube-rendezvous: the variable KUBE_RENDEZVOUS_JOIN_TIMOUT is ignored: did you mean "
            "KUBE_RENDEZVOUS_JOIN_TIMEOUT?",
            "kube-rendezvous: the variable KUBE_RENDEZVOUS_NAMESPCE is ignored: did you mean "
            "KUBE_RENDEZVOUS_NAMESPACE?",
        ]

    def test_the_variables_of_a_service_and_other_words_are_nobodys_mistake(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        service = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP_ADDR")
        for name in (*service, *(f"NAME_{word}" for word in service), "ENGINE", "TEAM_LETTERBOX"):
            monkeypatch.setenv(f"KUBE_RENDEZVOUS_{name}", "x")
        parse(["run", "--name", "my-run", "--nnodes", "2", "--", "python"])
        assert capsys.readouterr().err == ""

    def test_the_command_after_the_dashes_keeps_its_own_options(self) -> None:
        options = parse(["run", "--name", "my-run", "--nnodes", "2:4", "--", "python", "--", "--name", "x"])
        assert options.trainer == ["python", "--", "--name", "x"]
        assert (options.name, options.nnodes, options.grace) == ("my-run", (2, 4), 30.0)

    def test_each_has_a_variable_and_the_option_wins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBE_RENDEZVOUS_NAME", "by-variable")
        monkeypatch.setenv("KUBE_RENDEZVOUS_NNODES", "3")
        monkeypatch.setenv("KUBE_RENDEZVOUS_WAIT_FOR_TRAINER", "yes")
        monkeypatch.setenv("KUBE_RENDEZVOUS_DIR", "")
        options = parse(["sidecar"])
        assert (options.name, options.nnodes, options.wait_for_trainer, options.dir) == (
            "by-variable",
            (3, 3),
            True,
            None,
        )
        assert parse(["sidecar", "--name", "by-option"]).name == "by-option"

    def test_a_variable_is_read_as_strictly_as_an_option(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("KUBE_RENDEZVOUS_NNODES", "4:2")
        assert "the fewest nodes" in refusal(capsys, "sidecar", "--name", "my-run")

    @pytest.mark.parametrize("nodes", ["0", "4:2", "a", "2:", ":2", "1:2:3", "-1"])
    def test_nodes_that_make_no_sense_are_refused(self, nodes: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert "--nnodes" in refusal(capsys, "run", "--name", "my-run", f"--nnodes={nodes}", "--", "true")

    def test_run_says_where_its_command_belongs(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "after --" in refusal(capsys, "run", "--name", "my-run", "--nnodes", "1")
        assert "only `run` takes a command" in refusal(capsys, "wait", "--", "true")

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("127.0.0.1:8790", ("127.0.0.1", 8790)), ("[::1]:1", ("::1", 1)), ("0.0.0.0:0", ("0.0.0.0", 0))],
    )
    def test_addresses(self, text: str, expected: tuple[str, int]) -> None:
        assert split_address(text) == expected

    @pytest.mark.parametrize("text", ["", "8790", "::1:8790", "host:99999", "a b:1", "http://x:1"])
    def test_what_is_no_address_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="write HOST:PORT"):
            split_address(text)


class TestHelp:
    @pytest.mark.parametrize("command", [[], ["run"], ["sidecar"], ["wait"], ["env"], ["status"], ["leave"]])
    def test_teaches_with_examples_and_exit_statuses(
        self, command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            parse([*command, "--help"])
        assert ended.value.code == 0
        text = capsys.readouterr().out
        assert "examples:" in text
        assert "exit status" in text


class TestLightness:
    def test_a_probe_loads_neither_kubernetes_nor_torch_nor_jax(self, tmp_path: Path) -> None:
        report = (
            "import sys\nfrom kube_rendezvous.command import main\n"
            f"try: main(['wait', '--dir', {str(tmp_path)!r}, '--timeout', '0'])\n"
            "except SystemExit as ended: print(ended.code)\n"
            "heavy = {'kubernetes', 'urllib3', 'torch', 'jax'}\n"
            "print(*sorted({name.partition('.')[0] for name in sys.modules} & heavy))"
        )
        done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.split() == ["75"]
