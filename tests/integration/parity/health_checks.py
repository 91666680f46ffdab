"""A health check server as somebody who builds on torch would write it: torch's own does nothing."""

import http.server
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from torch.distributed.elastic.agent.server import local_elastic_agent
from torch.distributed.elastic.agent.server.health_check_server import HealthCheckServer

from integration.parity.agents import Launch, Outcome
from integration.parity.drivers import by_launcher

ANSWER_SECONDS = 5.0


class HttpHealthCheckServer(HealthCheckServer):
    """Says over HTTP whether the agent has made progress lately."""

    def __init__(self, alive_callback: Callable[[], int], port: int, timeout: int) -> None:
        super().__init__(alive_callback, port, timeout)

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if time.time() - alive_callback() < timeout else 503)
                self.end_headers()

        self._server = http.server.HTTPServer(("127.0.0.1", port), Answer)

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def by_launcher_with_health_check(launch: Launch) -> Outcome:
    """As `drivers.by_launcher`, with this server where torch makes its own, if the environment names a port."""
    local_elastic_agent.create_healthcheck_server = HttpHealthCheckServer
    return by_launcher(launch)


def is_alive(port: int) -> bool:
    """Whether a health check server answers on this port that all is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
