"""JobSet's agent for restarts in place as an image: JobSet's module has its source, and no registry is asked."""

from rendezvous_local.binaries import find_or_build
from rendezvous_local.images.archive import write_image, write_layer_of_one_file
from rendezvous_local.node.node import Node
from rendezvous_local.programs import IN_PLACE_RESTART_AGENT


def load_in_place_restart_agent(node: Node) -> str:
    """Builds it, if need be, loads it into the node, and returns the name under which pods find it.

    Raises:
        LocalControlPlaneError: It could not be built or loaded.
    """
    program = find_or_build(IN_PLACE_RESTART_AGENT)
    name = f"localhost/jobset/in-place-restart-agent:{IN_PLACE_RESTART_AGENT.version}"
    archive, layer = node.folders.root / "restart-agent.tar", node.folders.root / "restart-agent-layer.tar"
    write_layer_of_one_file(layer, "/agent", program.read_bytes())
    write_image(archive, name, layer, entrypoint=["/agent"])
    node.load_image(archive)
    return name
