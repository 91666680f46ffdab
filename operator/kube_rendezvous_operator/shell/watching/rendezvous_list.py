"""Whether the API server serves Rendezvous to us at all: asked before kopf is let at them.

kopf takes a missing resource, or a missing right, for a reason to end, and one that is missing at its start for nothing
to do, for ever. Definitions come late, go, and are replaced while we run: that is waited for, and said.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Sequence

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, Backoff, Connection
from kube_rendezvous.cluster.paging import Paging
from kube_rendezvous.resources import RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path

_log = logging.getLogger(__name__)

CRDS_AND_RIGHTS = ": are the CRDs installed, and may this service account list them?"

SAY_AFTER_SECONDS = 10.0
_ANSWER_SECONDS = 5.0


class RendezvousList:
    """Lists the Rendezvous of some namespaces, or (no namespaces) of the cluster.

    Attributes:
        unlisted: sentences about what cannot be listed at the moment.
    """

    def __init__(self, connection: Connection, namespaces: Sequence[str]) -> None:
        self._connection = connection
        self._scopes: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self.unlisted: list[str] = [f"the Rendezvous of {where(scope)} are not listed yet" for scope in self._scopes]

    def lost(self) -> None:
        """What could be listed may not be any more."""
        self.unlisted = [f"the Rendezvous of {where(scope)} are not listed any more" for scope in self._scopes]

    async def wait(self, stop: asyncio.Event) -> Collection[str]:
        """Wait until all can be listed, or `stop` is set.

        Returns:
            The UIDs of all that there are.
        """
        backoff, said, tries = Backoff(limit=3.0), 0.0, 0
        while not stop.is_set():
            try:
                found = [uid for scope in self._scopes for uid in await asyncio.to_thread(self._uids, scope)]
            except ApiFailureError as failure:
                tries += 1
                refused = isinstance(failure, ApiRefusedError)
                if time.monotonic() - said >= SAY_AFTER_SECONDS and (refused or tries > 1):
                    said = time.monotonic()
                    _log.warning("The Rendezvous cannot be listed: %s%s", failure, CRDS_AND_RIGHTS if refused else "")
                await _pause(stop, backoff.next_delay(failure.retry_after))
            else:
                if said:
                    _log.info("The Rendezvous can be listed again")
                self.unlisted = []
                return found
        return ()

    def _uids(self, scope: str | None) -> list[str]:
        path = collection_path(RENDEZVOUS_PLURAL, scope)
        paging, page, found, sizes = Paging(), "", list[str](), [0]
        while True:
            query = {"limit": str(paging.limit), **({"continue": page} if page else {})}
            answer = self._connection.request("GET", path, query=query, timeout=_ANSWER_SECONDS, told_size=sizes.append)
            items = answer.get("items") or ()
            found.extend(item["metadata"]["uid"] for item in items)
            paging.answered(len(items), sizes[-1])
            page = str((answer.get("metadata") or {}).get("continue") or "")
            if not page:
                return found


def where(scope: str | None) -> str:
    """A scope in words."""
    return f"namespace {scope}" if scope else "the cluster"


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
