"""What a trainer finds in its environment, and that a shell reads back exactly what was meant."""

import subprocess

import pytest

from kube_rendezvous.round_environment import environment_of, shell_lines
from kube_rendezvous.standing_round import StandingRound

NASTY = [
    "plain",
    "",
    "two words",
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "$HOME ${PATH} \\ \\\\ %s !! ~ * ? [a] {a,b} # & | < > ( )",
    "-n",
    "ümläut \N{SNOWMAN}",
]


def standing(address: str = "10.0.0.7", **changes: object) -> StandingRound:
    fields = {"namespace": "ns", "name": "run", "number": 3, "rank": 1, "world_size": 4, "master_port": 41295}
    return StandingRound(**(fields | {"master_addr": address} | changes))  # type: ignore[arg-type]


class TestEnvironment:
    def test_is_torchruns_with_one_process_a_node_and_jaxs(self) -> None:
        assert environment_of(standing()) == {
            "RANK": "1",
            "WORLD_SIZE": "4",
            "LOCAL_RANK": "0",
            "LOCAL_WORLD_SIZE": "1",
            "GROUP_RANK": "1",
            "GROUP_WORLD_SIZE": "4",
            "MASTER_ADDR": "10.0.0.7",
            "MASTER_PORT": "41295",
            "JAX_COORDINATOR_ADDRESS": "10.0.0.7:41295",
            "JAX_NUM_PROCESSES": "4",
            "JAX_PROCESS_ID": "1",
            "RENDEZVOUS_NAME": "run",
            "RENDEZVOUS_NAMESPACE": "ns",
            "RENDEZVOUS_ROUND": "3",
        }

    def test_an_ipv6_address_is_in_brackets_where_a_port_follows(self) -> None:
        variables = environment_of(standing("fd00::7"))
        assert variables["MASTER_ADDR"] == "fd00::7"
        assert variables["JAX_COORDINATOR_ADDRESS"] == "[fd00::7]:41295"

    @pytest.mark.parametrize("address", ["", "a b", "10.0.0.7\nRANK=0", "$(id)", "a" * 254, "host/../x", "ümläut"])
    def test_what_is_no_address_never_gets_into_a_round(self, address: str) -> None:
        with pytest.raises(ValueError, match="is no address"):
            standing(address)


class TestShellLines:
    @pytest.mark.parametrize("value", NASTY)
    def test_a_shell_reads_back_the_value_and_runs_nothing(self, value: str) -> None:
        script = shell_lines({"VALUE": value}) + 'printf %s "$VALUE"'
        done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True, env={}, timeout=30)
        assert done.stdout == value
        assert done.stderr == ""

    def test_exported_ones_reach_a_child(self) -> None:
        script = shell_lines({"VALUE": "it's"}, export=True) + "/bin/sh -c 'printf %s \"$VALUE\"'"
        done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True, env={}, timeout=30)
        assert done.stdout == "it's"

    @pytest.mark.parametrize("value", ["a\nRANK=0", "a\r\nb", "a\0b", "a\x1b[31m", "a\x85b"])
    def test_one_variable_is_one_line(self, value: str) -> None:
        lines = shell_lines({"VALUE": value})
        assert len(lines.splitlines()) == 1
        assert lines.rstrip("\n").isprintable()

    @pytest.mark.parametrize("name", ["", "A B", "A;id", "1A", "a", "A\n"])
    def test_what_is_no_name_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="cannot be the name"):
            shell_lines({name: "x"})
