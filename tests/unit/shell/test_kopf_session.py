"""kopf is told of a failed try when somebody else answers in the API server's place, and is kept waiting for nobody."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from kube_rendezvous_operator.shell.kopf_session import only_the_api_servers_answers

LIMIT_SECONDS = 30.0


def ask(answer: web.Response) -> object:
    """What kopf's session makes of this answer."""

    async def serve_and_ask() -> object:
        async def say(_: web.Request) -> web.Response:
            return answer

        app = web.Application()
        app.router.add_get("/", say)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession(middlewares=(only_the_api_servers_answers,)) as session:
                response = await session.get(f"http://127.0.0.1:{port}/")
                return await response.json()
        finally:
            await runner.cleanup()

    return asyncio.run(asyncio.wait_for(serve_and_ask(), LIMIT_SECONDS))


def test_what_the_api_server_answers_is_passed_on() -> None:
    assert ask(web.json_response({"kind": "Status"})) == {"kind": "Status"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: web.Response(text="<html>", content_type="text/html"), id="a page"),
        pytest.param(lambda: web.Response(status=200), id="nothing"),
        pytest.param(lambda: web.Response(status=429, headers={"Retry-After": "0.01"}), id="too many requests"),
    ],
)
def test_all_else_is_a_connection_that_failed(answer: "type[web.Response]") -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        ask(answer())


def test_nobody_makes_kopf_sleep_for_an_hour() -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        ask(web.Response(status=429, headers={"Retry-After": "3600"}))
