"""The configuration of the node keeps everything below its folder and in its own networks."""

import fcntl
import json
import os
import threading
import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.certificates import certificates
from rendezvous_local.node.cluster_objects import cluster_dns
from rendezvous_local.node.command_lines import CommandLines
from rendezvous_local.node.containerd_config import containerd_config, network_config
from rendezvous_local.node.kubeconfigs import kubeconfig
from rendezvous_local.node.kubelet_config import dns_config, kubelet_config, proxy_config
from rendezvous_local.node.layout import Addresses, Folders, Ports, root_folder
from rendezvous_local.node.network import CANDIDATES, choose_addresses, masquerading
from rendezvous_local.node.node_programs import NodePrograms
from rendezvous_local.node.state_folder import StateFolder

FOLDERS = Folders(Path("/var/lib/the-node"))
ADDRESSES = Addresses(IPv4Network("10.213.0.0/24"), IPv4Network("10.213.1.0/24"))
PORTS = Ports(*range(20_001, 20_010))


class TestTheNetworks:
    def test_are_the_first_that_overlap_no_route(self) -> None:
        routes = json.dumps([{"dst": "default"}, {"dst": "10.213.0.0/16"}, {"dst": "10.214.1.7"}])

        assert choose_addresses(routes).pods == IPv4Network("10.215.0.0/24")

    def test_are_refused_when_the_machine_routes_all_of_them(self) -> None:
        with pytest.raises(LocalControlPlaneError, match="no free network for the pods"):
            choose_addresses(json.dumps([{"dst": "10.0.0.0/8"}]))

    def test_do_not_overlap_each_other(self) -> None:
        assert not any(pods.overlaps(services) for pods, services in CANDIDATES)

    def test_leave_the_machine_only_with_its_address(self) -> None:
        assert 'ip saddr 10.213.0.0/24 oifname != "rdzv0" masquerade' in masquerading(ADDRESSES)


class TestContainerd:
    def test_keeps_everything_below_the_folder(self) -> None:
        text = containerd_config(FOLDERS, runc=Path("/usr/sbin/runc"), network_plugins=Path("/usr/lib/cni"))
        config = tomllib.loads(text)
        runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
        runc = runtime["containerd"]["runtimes"]["runc"]["options"]

        chosen = [config["root"], config["state"], config["grpc"]["address"], runc["Root"], runtime["cni"]["conf_dir"]]
        assert all(Path(path).is_relative_to(FOLDERS.root) for path in chosen)
        assert runtime["netns_mounts_under_state_dir"] is True
        assert runc["BinaryName"] == "/usr/sbin/runc"

    def test_gives_pods_addresses_of_their_network(self) -> None:
        plugin = json.loads(network_config(FOLDERS, ADDRESSES))["plugins"][0]

        assert plugin["ipam"]["ranges"] == [[{"subnet": "10.213.0.0/24", "gateway": "10.213.0.1"}]]


class TestKubelet:
    def test_works_in_old_and_new_control_groups_and_makes_no_rules(self) -> None:
        config = json.loads(kubelet_config(FOLDERS, ADDRESSES, PORTS))

        assert (config["cgroupDriver"], config["failCgroupV1"]) == ("cgroupfs", False)
        assert config["makeIPTablesUtilChains"] is False
        assert config["address"] == "10.213.0.1"

    def test_tells_pods_the_address_of_the_dns_service(self) -> None:
        config = json.loads(kubelet_config(FOLDERS, ADDRESSES, PORTS))
        service = json.loads(cluster_dns(ADDRESSES, PORTS))["items"][2]

        assert config["clusterDNS"] == [service["spec"]["clusterIP"]] == ["10.213.1.10"]


def test_the_proxy_leaves_the_machines_own_limits_alone() -> None:
    config = json.loads(proxy_config(FOLDERS, ADDRESSES, PORTS))

    assert config["mode"] == "nftables"
    assert config["conntrack"] == {
        "maxPerCore": 0,
        "min": 0,
        "tcpEstablishedTimeout": "0s",
        "tcpCloseWaitTimeout": "0s",
    }


def test_dns_listens_where_the_service_leads() -> None:
    slices = json.loads(cluster_dns(ADDRESSES, PORTS))["items"][3]

    assert {port["port"] for port in slices["ports"]} == {PORTS.dns}
    assert dns_config(FOLDERS, ADDRESSES, PORTS).startswith(f".:{PORTS.dns} {{\n  bind 10.213.0.1\n")


def test_the_api_server_listens_on_the_bridge_only() -> None:
    programs = NodePrograms(**{name: Path("/bin") / name for name in NodePrograms.__dataclass_fields__})
    commands = CommandLines(programs, FOLDERS, ADDRESSES, PORTS)

    assert "--bind-address=10.213.0.1" in commands.api_server()
    assert commands.server == f"https://10.213.0.1:{PORTS.api_server}"


def test_gates_are_on_for_all_who_read_them_and_what_is_behind_them_is_served() -> None:
    programs = NodePrograms(**{name: Path("/bin") / name for name in NodePrograms.__dataclass_fields__})
    plain = CommandLines(programs, FOLDERS, ADDRESSES, PORTS)
    newest = CommandLines(programs, FOLDERS, ADDRESSES, PORTS, ("EvictionRequestAPI", "GenericWorkload"))
    flag = "--feature-gates=EvictionRequestAPI=true,GenericWorkload=true"

    assert all(flag in line for line in (newest.api_server(), newest.controller_manager(), newest.scheduler()))
    assert "--runtime-config=api/beta=true,api/alpha=true" in newest.api_server()
    assert not any("gates" in word or "runtime-config" in word for word in plain.api_server())
    kubelet = json.loads(kubelet_config(FOLDERS, ADDRESSES, PORTS, newest.gates))
    assert kubelet["featureGates"] == {"EvictionRequestAPI": True, "GenericWorkload": True}


def test_the_api_servers_certificate_holds_for_every_way_to_reach_it() -> None:
    names = next(one.names for one in certificates(ADDRESSES) if one.name == "api-server")

    assert {"IP:10.213.0.1", "IP:10.213.1.1", "DNS:kubernetes.default.svc"} <= set(names)


def test_a_kubeconfig_names_files_and_holds_no_secret() -> None:
    content = kubeconfig("admin", "https://10.213.0.1:1", FOLDERS.certificates)

    assert content["users"] == [
        {
            "name": "admin",
            "user": {
                "client-certificate": "/var/lib/the-node/certificates/admin.crt",
                "client-key": "/var/lib/the-node/certificates/admin.key",
            },
        }
    ]


class TestTheFolder:
    def test_is_where_the_variable_says(self) -> None:
        assert root_folder({"KUBE_RENDEZVOUS_NODE_DIR": "/elsewhere"}) == Path("/elsewhere")
        assert root_folder({}) == Path("/var/lib/kube-rendezvous-node")

    def test_has_one_owner(self, tmp_path: Path) -> None:
        first, second = StateFolder(tmp_path / "node"), StateFolder(tmp_path / "node")
        first.take()

        with pytest.raises(LocalControlPlaneError, match="a node runs on this machine already"):
            second.take()

        first.release()
        assert second.owner() is None
        second.take()
        second.release()

    def test_can_be_taken_while_somebody_asks_who_owns_it(self, tmp_path: Path) -> None:
        (tmp_path / "owner").touch()
        asking = os.open(tmp_path / "owner", os.O_RDWR)
        fcntl.flock(asking, fcntl.LOCK_SH)
        closed_soon = threading.Timer(0.2, os.close, [asking])
        closed_soon.start()

        folder = StateFolder(tmp_path)
        folder.take()

        closed_soon.join()
        folder.release()
