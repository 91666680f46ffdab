"""Turns failures of requests into the rendezvous API's errors, in plain words."""

import contextlib
from collections.abc import Iterator

from kube_rendezvous.api import RendezvousConnectionError, RendezvousStateError
from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError
from kube_rendezvous.cluster.refusals import explain_failure


@contextlib.contextmanager
def plain_errors(what: str, namespace: str) -> Iterator[None]:
    """Explain what the API server said.

    Args:
        what: the object concerned, for example ``Rendezvous ns/name``.
        namespace: where requests are made.

    Raises:
        RendezvousConnectionError: the API server is out of reach, or does not let us in (401, 403).
        RendezvousStateError: something is missing or invalid there (404, 422).
    """
    try:
        yield
    except ApiUnavailableError as failure:
        raise RendezvousConnectionError(f"{what}: {explain_failure(failure, namespace)}") from failure
    except ApiRefusedError as failure:
        text = f"{what}: {explain_failure(failure, namespace)}"
        if failure.status in (401, 403):
            raise RendezvousConnectionError(text) from failure
        raise RendezvousStateError(text) from failure
