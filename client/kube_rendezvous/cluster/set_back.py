"""Whether the API server's storage was set back: a backup was restored, and versions begin lower than those seen.

A watch that goes on from a version that is not there yet is silent until that is reached, perhaps for days, and nothing
else says so: bookmarks are left out, too (kube-apiserver 1.37.2, `tests/integration/test_set_back.py`). But what we
write ourselves, and a consistent list, are younger than all that was told, and than all that we wrote, before they were
sent; and versions of one storage can be compared (KEP-5504).
"""

from collections.abc import Callable

from kube_rendezvous.cluster.watch_protocol import Object


class StorageSeen:
    """How far the watch had come when a request was sent, and how far our own writes of the same object had.

    The watch of one object that hardly changes may have told an old version only, which the new storage soon reaches.

    Args:
        told: the version up to which the watch has told everything (None: it has told nothing), and when the newest
            list was asked for.
        set_back: called when an answer is older than that.
    """

    def __init__(self, told: Callable[[], tuple[str | None, float]], set_back: Callable[[], None]) -> None:
        self._told = told
        self._set_back = set_back
        self._noted: tuple[str | None, float] | None = None
        self._written = ("", "")  # name and newest version of what was written last

    def before(self) -> Callable[[Object], None]:
        """To be called before something is written; what it returns is to be called with what was written then."""
        told, own = self._told(), self._written

        def look_at(written: Object) -> None:
            meta = written.get("metadata") or {}
            name, newest = meta.get("name", ""), self._written
            # The watch may not have begun anew yet, and another write of before may be answered only now.
            older_than_told = is_older(written, told[0]) and told != self._noted
            noted = is_lower(newest[1], own[1])
            older_than_own = own[0] == newest[0] == name and is_older(written, own[1]) and not noted
            if older_than_told:
                self._noted = told
            if older_than_told or older_than_own or newest[0] != name or not is_older(written, newest[1]):
                self._written = name, str(meta.get("resourceVersion", ""))
            if older_than_told or older_than_own:
                self._set_back()

        return look_at


def is_older(written: Object, told: str | None) -> bool:
    """Whether an object, or a list, has an older version than this. Versions that are no numbers say nothing."""
    version = str((written.get("metadata") or {}).get("resourceVersion"))
    return told is not None and is_lower(version, told)


def is_lower(version: str, other: str) -> bool:
    """Whether one version is older than another of the same storage. Such that are no numbers say nothing."""
    return version.isdecimal() and other.isdecimal() and int(version) < int(other)
