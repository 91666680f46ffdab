"""Configuration of containerd and of the pods' network, all of it below the node's folder."""

import json
from pathlib import Path

from rendezvous_local.node.layout import BRIDGE, NETWORK_NAME, Addresses, Folders

PAUSE_IMAGE = "localhost/kube-rendezvous/pause:v1"


def containerd_config(folders: Folders, *, runc: Path, network_plugins: Path) -> str:
    """containerd's ``config.toml``.

    Args:
        folders: Where it keeps images, containers and sockets.
        runc: The program that starts containers.
        network_plugins: Folder with the network plug-ins (bridge, host-local, loopback).
    """
    containerd = folders.containerd
    return f"""\
version = 3
root = '{containerd / "root"}'
state = '{containerd / "state"}'

[grpc]
  address = '{folders.containerd_socket}'

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '{PAUSE_IMAGE}'

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE, as in many virtual machines, a negative oom_score_adj is refused.
  restrict_oom_score_adj = true
  # Below our folder, not in /run/netns: a clean-up finds them all there.
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = 'runc'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = '{runc}'
        Root = '{containerd / "runc"}'
        SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['{network_plugins}']
    conf_dir = '{folders.network / "plugins"}'

[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.internal.v1.opt']
  path = '{containerd / "opt"}'
"""


def network_config(folders: Folders, addresses: Addresses) -> str:
    """The pods' network: our bridge, addresses from ours. Masquerading is ours (``network.py``), not the plug-in's."""
    addressing = {
        "type": "host-local",
        "dataDir": str(folders.network / "addresses"),
        "ranges": [[{"subnet": str(addresses.pods), "gateway": str(addresses.gateway)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": addressing}
    return json.dumps({"cniVersion": "1.0.0", "name": NETWORK_NAME, "plugins": [bridge]}, indent=2)
