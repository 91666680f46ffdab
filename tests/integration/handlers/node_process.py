"""A node as a process of its own, so that it can be frozen: joins and stays."""

import sys
import threading

from kube_rendezvous.api import RendezvousParameters
from kube_rendezvous.cluster import Connection
from kube_rendezvous.handler import KubernetesRendezvousHandler
from kube_rendezvous.settings import read_settings
from kube_rendezvous.store_choice import open_address_only


def main(kubeconfig: str, namespace: str, slot: str) -> None:
    settings = read_settings(
        RendezvousParameters("kubernetes", namespace, "run", 2, 1000, slot=slot, watch_neighbours="true")
    )
    handler = KubernetesRendezvousHandler(settings, Connection.open(kubeconfig), open_address_only)
    handler.next_rendezvous()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
