"""What a node left is found by its folder, and nothing else is touched."""

import os
from pathlib import Path

import pytest

from rendezvous_local.node import kernel_settings
from rendezvous_local.node.clean_up import clean_up
from rendezvous_local.node.control_groups import pod_groups, processes_in
from rendezvous_local.node.mounts import mounts_below
from rendezvous_local.node.orphans import is_of_the_node, processes_of
from rendezvous_local.node.what_was_before import Before, read_before

NODE = Path("/var/lib/the-node")


class TestMounts:
    def test_below_the_folder_come_deepest_first(self) -> None:
        table = (
            "overlay / overlay rw 0 0\n"
            "tmpfs /var/lib/the-node/kubelet tmpfs rw 0 0\n"
            "tmpfs /var/lib/the-node/kubelet/pods/1/token tmpfs rw 0 0\n"
        )

        assert mounts_below(NODE, table) == [NODE / "kubelet/pods/1/token", NODE / "kubelet"]

    def test_the_folder_itself_is_one_of_them(self) -> None:
        assert mounts_below(NODE, "tmpfs /var/lib/the-node tmpfs rw 0 0\n") == [NODE]

    def test_of_a_folder_with_a_longer_name_are_none_of_ours(self) -> None:
        assert mounts_below(NODE, "tmpfs /var/lib/the-node-of-another tmpfs rw 0 0\n") == []

    def test_with_a_space_in_their_name_are_read_as_the_kernel_writes_them(self) -> None:
        assert mounts_below(NODE, "tmpfs /var/lib/the-node/a\\040b tmpfs rw 0 0\n") == [NODE / "a b"]


class TestAProcessIsOneOfTheNode:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["/cache/kubelet", "--config=/var/lib/the-node/configuration/kubelet.json"],
            ["/cache/containerd", "--config", "/var/lib/the-node/configuration/containerd.toml"],
            ["/cache/containerd-shim-runc-v2", "-id", "f00", "-address", "/var/lib/the-node/containerd.sock"],
        ],
        ids=lambda arguments: Path(arguments[0]).name,
    )
    def test_when_it_is_a_program_of_nodes_and_was_started_for_this_folder(self, arguments: list[str]) -> None:
        assert is_of_the_node(arguments, NODE)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["/usr/bin/containerd-shim-runc-v2", "-address", "/run/containerd/containerd.sock"],
            ["/cache/kubelet", "--config=/var/lib/the-node-of-another/kubelet.json"],
            ["tail", "-f", "/var/lib/the-node/logs/kubelet.log"],
            [],
        ],
        ids=["another containerd's", "another node's", "a reader of its logs", "a thread of the kernel"],
    )
    def test_and_no_other(self, arguments: list[str]) -> None:
        assert not is_of_the_node(arguments, NODE)

    def test_and_lives(self, tmp_path: Path) -> None:
        for number, state in (("10", "S"), ("11", "Z")):
            (tmp_path / number).mkdir()
            (tmp_path / number / "cmdline").write_bytes(b"etcd\0--data-dir=/var/lib/the-node/etcd\0")
            (tmp_path / number / "stat").write_text(f"{number} (a (strange) name) {state} 1 1")

        assert list(processes_of(NODE, tmp_path)) == [10]


class TestControlGroups:
    def test_of_pods_are_found_in_either_version(self, tmp_path: Path) -> None:
        for group in ("kubepods", "memory/kubepods", "memory/user.slice"):
            (tmp_path / group).mkdir(parents=True)

        assert pod_groups(tmp_path) == [tmp_path / "kubepods", tmp_path / "memory" / "kubepods"]

    def test_give_the_processes_of_all_groups_below(self, tmp_path: Path) -> None:
        (tmp_path / "pod").mkdir()
        (tmp_path / "cgroup.procs").write_text("")
        (tmp_path / "pod" / "cgroup.procs").write_text("12\n13\n0\n")  # 0: of another process namespace

        assert processes_in([tmp_path]) == {12, 13}


class TestKernelSettings:
    @pytest.fixture
    def sysctls(self, tmp_path: Path) -> Path:
        values = dict.fromkeys(kernel_settings.WANTED, "0") | {"fs.inotify.max_user_instances": "8192"}
        for name, value in values.items():
            file = tmp_path / "sys" / name.replace(".", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n")
        return tmp_path / "sys"

    def test_come_back_as_they_were(self, sysctls: Path, tmp_path: Path) -> None:
        kernel_settings.save(tmp_path / "saved", sysctls)
        kernel_settings.apply(sysctls)
        assert kernel_settings.read("net.ipv4.ip_forward", sysctls) == "1"

        kernel_settings.restore(tmp_path / "saved", sysctls)

        assert kernel_settings.read("net.ipv4.ip_forward", sysctls) == "0"

    def test_that_are_higher_already_stay(self, sysctls: Path) -> None:
        kernel_settings.apply(sysctls)

        assert kernel_settings.read("fs.inotify.max_user_instances", sysctls) == "8192"

    def test_that_were_never_saved_are_left_alone(self, sysctls: Path, tmp_path: Path) -> None:
        kernel_settings.restore(tmp_path / "never written", sysctls)

        assert kernel_settings.read("net.ipv4.ip_forward", sysctls) == "0"


class TestWhatWasBefore:
    def test_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        before = Before(folders=("/run/containerd",), shim_sockets=("abc",))
        before.write(tmp_path / "before.json")

        assert read_before(tmp_path / "before.json") == before

    def test_is_unknown_when_the_writing_was_cut_short(self, tmp_path: Path) -> None:
        (tmp_path / "before.json").write_text('{"folders": [')

        assert read_before(tmp_path / "before.json") is None


def test_a_folder_without_a_record_goes_and_nothing_else_is_done(tmp_path: Path) -> None:
    root = tmp_path / "node"
    (root / "certificates").mkdir(parents=True)
    (root / "owner").write_text(str(os.getpid()))

    assert clean_up(root) == []
    assert not root.exists()
