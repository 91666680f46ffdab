"""A real registry on this machine, for the length of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rendezvous_local.binaries import find_or_build
from rendezvous_local.ports import free_port
from rendezvous_local.processes import ChildProcess
from rendezvous_local.programs import CRANE
from rendezvous_local.readiness import answers_ok, wait_until_ready

READY_SECONDS = 60.0


@contextmanager
def local_registry(folder: Path) -> Iterator[str]:
    """Its HOST:PORT.

    Args:
        folder: for what is pushed; made if need be.
    """
    folder.mkdir(exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    command = [str(find_or_build(CRANE)), "registry", "serve", "--address", address, "--disk", str(folder)]
    process = ChildProcess("registry", command, log=folder.with_suffix(".log"))
    process.start()
    try:
        wait_until_ready(
            "the registry", lambda: answers_ok(f"http://{address}/v2/"), seconds=READY_SECONDS, processes=[process]
        )
        yield address
    finally:
        process.kill()
