"""The log of a pod as it comes, kept when the pod goes."""

import re
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from e2e.kubectl import Kubectl

AGAIN_SECONDS = 0.5
STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T")  # others are the kubelet's own words, about a container that is gone


@dataclass(frozen=True)
class Line:
    """A line and when it was written, by `time.time` of the pod's node."""

    at: float
    text: str


class FollowedLog:
    """Follows ``kubectl logs --follow`` of one pod until `stop`; begins again where it was cut off.

    Args:
        kubectl: on the cluster.
        namespace, pod: whose.
        container: which of its containers; None: the first.
    """

    def __init__(self, kubectl: Kubectl, namespace: str, pod: str, container: str | None = None) -> None:
        self._kubectl = kubectl
        self._arguments = ["-n", namespace, "logs", "--follow", "--timestamps", pod]
        self._arguments += ["-c", container] if container else []
        self.pod = pod
        self._lines: list[Line] = []
        self._newest = ""
        self._came = threading.Condition()
        self._stopped = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._follow, name=f"log of {pod}", daemon=True)
        self._reader.start()

    @property
    def lines(self) -> Sequence[Line]:
        """All that came so far."""
        with self._came:
            return list(self._lines)

    def matching(self, pattern: str) -> list[Line]:
        """The lines so far in which the pattern is found."""
        return [line for line in self.lines if re.search(pattern, line.text)]

    def wait_for(self, pattern: str, seconds: float, *, more_than: int = 0) -> Line:
        """Wait until the pattern is found in more than that many lines; return the newest of these.

        Raises:
            AssertionError: that did not happen; with the end of the log.
        """
        deadline = time.monotonic() + seconds
        with self._came:
            while True:
                found = [line for line in self._lines if re.search(pattern, line.text)]
                if len(found) > more_than:
                    return found[-1]
                left = deadline - time.monotonic()
                if left <= 0:
                    end = "\n".join(line.text for line in self._lines[-30:])
                    raise AssertionError(
                        f"{self.pod}: no line with {pattern!r} within {seconds:.0f} s; its log:\n{end}"
                    )
                self._came.wait(left)

    def stop(self) -> None:
        """End the following."""
        self._stopped.set()
        with self._came:
            process = self._process
        if process is not None:
            process.terminate()
        self._reader.join(10)

    def _follow(self) -> None:
        while not self._stopped.is_set():
            self._read_until_cut_off()
            self._stopped.wait(AGAIN_SECONDS)

    def _read_until_cut_off(self) -> None:
        since = [f"--since-time={self._newest}"] if self._newest else []
        with (
            subprocess.Popen(
                [*self._kubectl.command, *self._arguments, *since],
                env=self._kubectl.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
            ) as process,
        ):
            with self._came:
                self._process = process
            if self._stopped.is_set():
                process.terminate()
            assert process.stdout is not None
            already, seen_to = bool(since), self._newest
            for line in process.stdout:
                stamp, _, text = line.rstrip("\n").partition(" ")
                if not STAMP.match(stamp) or (already and stamp <= seen_to):
                    continue
                with self._came:
                    self._newest = stamp
                    self._lines.append(Line(datetime.fromisoformat(stamp).timestamp(), text))
                    self._came.notify_all()
