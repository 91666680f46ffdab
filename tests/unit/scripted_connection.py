"""A stand-in for `Connection` at unit level: answers from a script, and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_rendezvous.cluster import ApiFailureError

Answer = dict[str, Any] | ApiFailureError | Callable[["Asked"], dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    body: Any = None
    query: Mapping[str, str] | None = None


class ScriptedStream:
    """A watch whose lines are scripted; with ``stays_open`` it then waits until it is interrupted."""

    def __init__(self, lines: Iterable[bytes | Exception], *, stays_open: bool = False) -> None:
        self._lines = list(lines)
        self._stays_open = stays_open
        self._interrupted = threading.Event()
        self.closed = False

    def lines(self) -> Iterator[bytes]:
        for line in self._lines:
            if isinstance(line, Exception):
                raise line
            yield line
        if self._stays_open:
            assert self._interrupted.wait(10), "nobody interrupted the watch"

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self.closed = True


@dataclass(eq=False)
class ScriptedConnection:
    """Answers requests and watches in the order of the script; an answer that is an error is raised.

    Attributes:
        answers: by method and a part of the path, each used once, the last one again and again.
        streams: for watches, one after the other.
        asked: every request but watches, in order.
        watched: the query of every watch, in order.
    """

    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    streams: list[ScriptedStream | ApiFailureError] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    watched: list[Mapping[str, str]] = field(default_factory=list)

    def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None, **_: Any
    ) -> dict[str, Any]:
        asked = Asked(method, path, body, query)
        self.asked.append(asked)
        for (wanted, part), answers in self.answers.items():
            if wanted == method and part in path:
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if isinstance(answer, Exception):
                    raise answer
                return answer(asked) if callable(answer) else answer
        raise AssertionError(f"nobody expected {method} {path}")

    def stream(self, path: str, *, query: Mapping[str, str], silence: float) -> ScriptedStream:
        self.watched.append(query)
        stream = self.streams.pop(0)
        if isinstance(stream, Exception):
            raise stream
        return stream

    @property
    def methods(self) -> list[str]:
        """The methods of all requests."""
        return [asked.method for asked in self.asked]
