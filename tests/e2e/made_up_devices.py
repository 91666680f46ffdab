"""Devices that are not there: a plugin offers them to this machine's kubelet, and calls unhealthy what it is told."""

import subprocess
from types import TracebackType
from typing import Self

from rendezvous_local.binaries import find_or_build
from rendezvous_local.programs import DEVICE_PLUGIN


class MadeUpDevices:
    """For use in a ``with`` statement, at whose end they are gone.

    Args:
        resource: what pods ask for, as in ``example.com/device``.
        count: how many there are.
    """

    def __init__(self, resource: str, count: int) -> None:
        self._command = [str(find_or_build(DEVICE_PLUGIN)), resource, str(count)]

    def __enter__(self) -> Self:
        self._plugin = subprocess.Popen(self._command, stdin=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._plugin.stdin is not None
        self._plugin.stdin.close()
        try:
            code = self._plugin.wait(10)
        finally:
            self._plugin.kill()
        assert code == 0, "the device plugin has failed: see above"

    def call_unhealthy(self, *devices: str) -> None:
        """These and no others."""
        assert self._plugin.stdin is not None
        print(*devices, file=self._plugin.stdin, flush=True)
