"""Whether the API server's storage was set back: a backup was restored, and versions begin lower than those seen.

A watch that goes on from a version that is not there yet is silent until that is reached, perhaps for days, and nothing
else says so: bookmarks are left out, too (kube-apiserver 1.37.2, `tests/integration/test_set_back.py`). But what we
write ourselves, and a consistent list, are younger than all that the watch told before they were sent; and versions of
one storage can be compared (KEP-5504).
"""

from collections.abc import Callable

from kube_rendezvous.cluster.watch_protocol import Object


class StorageSeen:
    """How far the watch had come when a request was sent.

    Args:
        told: the version up to which the watch has told everything (None: it has told nothing), and when the newest
            list was asked for.
        set_back: called when an answer is older than that.
    """

    def __init__(self, told: Callable[[], tuple[str | None, float]], set_back: Callable[[], None]) -> None:
        self._told = told
        self._set_back = set_back
        self._noted: tuple[str | None, float] | None = None

    def before(self) -> Callable[[Object], None]:
        """To be called before something is written; what it returns is to be called with what was written then."""
        told = self._told()

        def look_at(written: Object) -> None:
            if is_older(written, told[0]) and told != self._noted:  # the watch may not have begun anew yet
                self._noted = told
                self._set_back()

        return look_at


def is_older(written: Object, told: str | None) -> bool:
    """Whether an object, or a list, has an older version than this. Versions that are no numbers say nothing."""
    version = str((written.get("metadata") or {}).get("resourceVersion"))
    return told is not None and version.isdecimal() and told.isdecimal() and int(version) < int(told)
