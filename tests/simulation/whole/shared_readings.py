"""What everybody reads alike is read once: the JSON of an object, and what the product makes of it.

A dozen processes are told of each change, and each would read the same text. They share one reading instead, which is
the server's own object: nobody may change it (`unchanged` proves that nobody has). What goes over the wire is a short
text that stands for it, but for lists: the product asks how long those are.
"""

import json
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any, TypeVar

from kube_rendezvous.resources import parse_member, parse_rendezvous
from kube_rendezvous.resources.rendezvous_slice import parse_slice

Object = dict[str, Any]

_TEXT_OF = json.JSONEncoder(check_circular=False).encode
_COMPACT_TEXT_OF = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""As the product writes requests."""

Parsed = TypeVar("Parsed")


class SharedReadings:
    """Of one world.

    Attributes:
        copies: all that was read, and how it was then; None: it is not kept.
    """

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Any, bytes]] = {}
        self._read: dict[bytes, Any] = {}
        self._lines: dict[tuple[str, int], bytes] = {}
        self.copies: list[tuple[Any, str]] | None = None
        self.parse_member = parsed_once(parse_member)
        self.parse_rendezvous = parsed_once(parse_rendezvous)
        self.parse_slice = parsed_once(parse_slice)

    def object(self, obj: Object) -> bytes:
        """What stands for one version of an object, or for an answer."""
        return self._stands_for(obj)

    def listed(self, answer: Object) -> bytes:
        """The text of a list of objects."""
        head = json.dumps({key: value for key, value in answer.items() if key != "items"}).encode()
        text = b'%s, "items": [%s]}' % (head[:-1], b", ".join(map(self._text, answer["items"])))
        self._remember(text, answer)
        return text

    def event(self, type_: str, obj: Object) -> bytes:
        """The line of a watch that tells of this version of an object."""
        line = self._lines.get((type_, id(obj)))
        if line is None:
            line = self._lines[type_, id(obj)] = self._stands_for({"type": type_, "object": obj}) + b"\n"
        return line

    def _stands_for(self, obj: Object) -> bytes:
        text = b"%d" % len(self._read)
        self._remember(text, obj)
        return text

    def _text(self, obj: Object) -> bytes:
        known = self._texts.get(id(obj))
        if known is None:
            known = self._texts[id(obj)] = obj, _TEXT_OF(obj).encode()
        return known[1]

    def _remember(self, text: bytes, obj: Object) -> None:
        self._read[text] = obj
        if self.copies is not None:
            self.copies.append((obj, json.dumps(obj)))

    def loads(self, text: bytes) -> Any:
        """As `json.loads`."""
        known = self._read.get(text)
        return json.loads(text) if known is None else known

    @staticmethod
    def dumps(obj: Any, separators: tuple[str, str]) -> str:
        """As `json.dumps`."""
        assert separators == (",", ":")
        return _COMPACT_TEXT_OF(obj)

    @property
    def instead(self) -> list[tuple[Any, Any]]:
        """What the product uses, and what it is to use."""
        return [
            (json, SimpleNamespace(loads=self.loads, dumps=self.dumps)),
            (parse_member, self.parse_member),
            (parse_rendezvous, self.parse_rendezvous),
        ]

    def versions_begin_lower(self) -> None:
        """What has the same version is not the same any more."""
        for parse in (self.parse_member, self.parse_rendezvous, self.parse_slice):
            parse.forget()  # type: ignore[attr-defined]

    def unchanged(self) -> bool:
        """Whether all that was read is as it was then."""
        return bool(self.copies) and all(json.loads(text) == obj for obj, text in self.copies or ())


def parsed_once(parse: Callable[[Object], Parsed]) -> Callable[[Object], Parsed]:
    """The same of each version of an object: what it returns cannot be changed."""
    known: dict[tuple[str, str], Parsed] = {}

    @wraps(parse)
    def parsed(obj: Object) -> Parsed:
        meta = obj["metadata"]
        version = meta["uid"], meta["resourceVersion"]
        found = known.get(version)
        if found is None:
            found = known[version] = parse(obj)
        return found

    parsed.forget = known.clear  # type: ignore[attr-defined]
    return parsed
