"""The Members of ours that are at the API server, or may be: each is to be taken leave of before this process ends.

A signal's handler may raise at any line, as torch's launcher does; an answer may be lost. So a name is noted before its
POST, and is forgotten only after it is known that nobody has it, or that it has said that it leaves.
"""

from collections.abc import Collection

from kube_rendezvous.signal_proof import new_lock


class OwnMembers:
    """Names of Members, each with whether it is certain that it was made. Thread-safe."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._certain: dict[str, bool] = {}

    def may_be_made(self, name: str) -> bool:
        """A POST of it follows. Returns whether an earlier one may have made it."""
        with self._lock:
            before = name in self._certain
            self._certain.setdefault(name, False)
            return before

    def was_made(self, name: str) -> None:
        """Its POST was answered."""
        with self._lock:
            self._certain[name] = True

    def is_not_found(self, name: str) -> None:
        """It does not exist; one that is not certain to be made may come yet."""
        with self._lock:
            if self._certain.get(name):
                del self._certain[name]

    def is_forgotten(self, name: str) -> None:
        """It has said that it leaves, or was never made; or nothing more can be done for it."""
        with self._lock:
            self._certain.pop(name, None)

    def besides(self, kept: Collection[str]) -> list[tuple[str, bool]]:
        """All but these, the oldest first; of each whether it is certain that it was made."""
        with self._lock:
            return [(name, certain) for name, certain in self._certain.items() if name not in kept]
