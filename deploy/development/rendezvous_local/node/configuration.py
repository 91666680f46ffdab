"""Writes everything that the programs read at their start."""

from rendezvous_local.node.certificates import make_certificates
from rendezvous_local.node.command_lines import CommandLines
from rendezvous_local.node.containerd_config import containerd_config, network_config
from rendezvous_local.node.kubeconfigs import write_kubeconfigs
from rendezvous_local.node.kubelet_config import dns_config, kubelet_config, proxy_config


def write_configuration(commands: CommandLines) -> None:
    """Writes certificates, kubeconfigs and the configuration of every program below the node's folder."""
    folders, addresses, ports = commands.folders, commands.addresses, commands.ports
    make_certificates(folders.certificates, addresses)
    write_kubeconfigs(folders, commands.server)
    plugins = folders.network / "plugins"
    plugins.mkdir()
    (plugins / "10-bridge.conflist").write_text(network_config(folders, addresses))
    texts = {
        "containerd.toml": containerd_config(
            folders, runc=commands.programs.runc, network_plugins=commands.programs.network_plugins
        ),
        "kubelet.json": kubelet_config(folders, addresses, ports, commands.gates),
        "proxy.json": proxy_config(folders, addresses, ports),
        "Corefile": dns_config(folders, addresses, ports),
    }
    for name, text in texts.items():
        (folders.configuration / name).write_text(text)
