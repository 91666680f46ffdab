"""kopf's connection to the API server, on which an answer of somebody else is a failed try like any other.

By itself kopf sleeps for as long as a `Retry-After` says, and ends with the operator when an answer is no JSON.
"""

import asyncio
import logging
import warnings
from typing import Any

import aiohttp
import kopf

from kube_rendezvous.cluster.failures import bounded_pause
from kube_rendezvous.cluster.tls import verify_as_kubernetes_does

_log = logging.getLogger(__name__)


async def log_in(**of_kopf: Any) -> kopf.AiohttpSession | None:
    """For `kopf.on.login`: the credentials that kopf finds, with a session that checks who answers."""
    found = kopf.login_via_client(**of_kopf)
    if found is None:
        return None
    return kopf.AiohttpSession(
        server=found.server,
        default_namespace=found.default_namespace,
        priority=found.priority,
        expiration=found.expiration,
        aiohttp_session=session_of(found),
    )


def session_of(found: kopf.ConnectionInfo) -> aiohttp.ClientSession:
    """A session with these credentials, of this module's kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        auth = found.as_aiohttp_basic_auth()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=verify_as_kubernetes_does(found.as_ssl_context())),
        headers=found.as_http_headers(),
        auth=auth,
        proxy=found.proxy_url,
        trust_env=bool(found.trust_env),
        middlewares=(only_the_api_servers_answers,),
    )


async def only_the_api_servers_answers(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """A middleware of aiohttp.

    Raises:
        ClientConnectionError: too many requests (after the pause that was asked for, bounded), or a good answer that is
            no JSON. kopf tries again.
    """
    response = await send(request)
    if response.status == 429:
        pause = bounded_pause(response.headers.get("Retry-After", ""))
        response.close()
        await asyncio.sleep(pause)
        raise aiohttp.ClientConnectionError("429 Too Many Requests")
    if response.status < 400 and response.content_type != "application/json":
        response.close()
        raise aiohttp.ClientConnectionError(f"the answer is {response.content_type!r:.60} and not the API server's")
    return response
