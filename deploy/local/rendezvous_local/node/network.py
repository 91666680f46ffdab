"""The bridge on which the pods live, and the one rule that lets them reach the outside."""

import json
from collections.abc import Iterable
from ipaddress import IPv4Network

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.layout import BRIDGE, NETWORK_NAME, Addresses
from rendezvous_local.node.machine_commands import run, run_quietly

# Neighbours in the private range 10.0.0.0/8 that other tools do not take by default.
CANDIDATES = [(IPv4Network(f"10.{n}.0.0/24"), IPv4Network(f"10.{n}.1.0/24")) for n in range(213, 224)]
KUBE_PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
OUR_TABLES = (("ip", NETWORK_NAME), *KUBE_PROXY_TABLES)


def choose_addresses(routes: str) -> Addresses:
    """The first pair of networks that overlaps no route of this machine.

    Args:
        routes: What ``ip -json route show table all`` prints.

    Raises:
        LocalControlPlaneError: All are taken.
    """
    taken = list(_destinations(json.loads(routes or "[]")))
    for pods, services in CANDIDATES:
        if not any(network.overlaps(pods) or network.overlaps(services) for network in taken):
            return Addresses(pods, services)
    raise LocalControlPlaneError(
        f"no free network for the pods: this machine has routes into all of {CANDIDATES[0][0]} to {CANDIDATES[-1][1]}"
        " (`ip route show table all`). Remove one that you do not need, as of an old VPN"
    )


def read_addresses() -> Addresses:
    """The networks for a node that starts on this machine now."""
    return choose_addresses(run(["ip", "-json", "-4", "route", "show", "table", "all"]))


def set_up(addresses: Addresses) -> None:
    """Makes the bridge and the masquerading rule.

    The bridge comes before the API server: its address is the one that the API server and the node announce.
    """
    run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "address", "add", f"{addresses.gateway}/{addresses.pods.prefixlen}", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    run(["nft", "-f", "-"], text=masquerading(addresses))


def masquerading(addresses: Addresses) -> str:
    """Our nftables table: what pods send to the outside leaves with an address of this machine."""
    return (
        f"table ip {NETWORK_NAME} {{\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat; policy accept;\n"
        f'    ip saddr {addresses.pods} oifname != "{BRIDGE}" masquerade\n'
        "  }\n"
        "}\n"
    )


def take_down() -> None:
    """Removes the bridge and the tables, ours and kube-proxy's; those that are not there are no error."""
    run_quietly(["ip", "link", "delete", BRIDGE])
    for family, table in OUR_TABLES:
        run_quietly(["nft", "delete", "table", family, table])


def _destinations(routes: Iterable[dict[str, object]]) -> Iterable[IPv4Network]:
    for route in routes:
        destination = str(route.get("dst", "default"))
        if destination != "default":  # the default route overlaps everything and takes nothing
            yield IPv4Network(destination, strict=False)
