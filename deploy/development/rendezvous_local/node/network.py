"""The bridge on which the pods live, and the rules that let them reach each other and the outside."""

import json
from collections.abc import Iterable
from ipaddress import IPv4Network

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.layout import BRIDGE, NETWORK_NAME, Addresses
from rendezvous_local.node.machine_commands import run, run_quietly, try_to_run

# Neighbours in the private range 10.0.0.0/8 that other tools do not take by default.
CANDIDATES = [(IPv4Network(f"10.{n}.0.0/24"), IPv4Network(f"10.{n}.1.0/24")) for n in range(213, 224)]
KUBE_PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
OUR_TABLES = (("ip", NETWORK_NAME), *KUBE_PROXY_TABLES)
# Rules of the machine's own iptables; the comment tells them from everybody else's.
PODS_PASS = tuple([side, BRIDGE, "-m", "comment", "--comment", NETWORK_NAME, "-j", "ACCEPT"] for side in ("-i", "-o"))
EVERYTHING_PASSES = "-P FORWARD ACCEPT"


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
    """Makes the bridge, the masquerading rule, and a way through the machine's own firewall if it has one.

    The bridge comes before the API server: its address is the one that the API server and the node announce.
    """
    run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "address", "add", f"{addresses.gateway}/{addresses.pods.prefixlen}", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    run(["nft", "-f", "-"], text=masquerading(addresses))
    if _forwarding_rules() not in ("", EVERYTHING_PASSES):
        for rule in PODS_PASS:
            run(["iptables", "-I", "FORWARD", *rule])


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
    """Removes the bridge, our rules, and the tables, ours and kube-proxy's; what is not there is no error."""
    run_quietly(["ip", "link", "delete", BRIDGE])
    if NETWORK_NAME in _forwarding_rules():
        for rule in PODS_PASS:
            run_quietly(["iptables", "-D", "FORWARD", *rule])
    for family, table in OUR_TABLES:
        run_quietly(["nft", "delete", "table", family, table])


def _forwarding_rules() -> str:
    """What the machine's own iptables does with packets from pod to pod; "" if it has none.

    Docker sets the policy to DROP, and what one table drops no other (ours, kube-proxy's) can accept.
    """
    return try_to_run(["iptables", "-S", "FORWARD"]).strip()


def _destinations(routes: Iterable[dict[str, object]]) -> Iterable[IPv4Network]:
    for route in routes:
        destination = str(route.get("dst", "default"))
        if destination != "default":  # the default route overlaps everything and takes nothing
            yield IPv4Network(destination, strict=False)
