"""The backend ``kubernetes`` as it registers itself, by an entry point: see `kube_rendezvous.api`. Light until used."""

from kube_rendezvous.api import RendezvousHandler, RendezvousParameters


def create_kubernetes_handler(params: RendezvousParameters) -> RendezvousHandler:
    """Create a handler.

    Raises:
        ValueError: a setting cannot be used.
        RendezvousConnectionError: there are no usable credentials.
    """
    # Imported here, because the Kubernetes client takes half a second that only those who use it should pay.
    from kube_rendezvous.handler import create_handler

    return create_handler(params)
