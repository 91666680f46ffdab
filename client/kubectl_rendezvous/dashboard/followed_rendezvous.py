"""One Rendezvous with its members and pods, by watches, for as long as somebody looks at it."""

import logging
import threading
import time
from collections import deque
from datetime import UTC, datetime

from kubectl_rendezvous.causes import find_causes
from kubectl_rendezvous.changes import changed_lines, first_lines
from kubectl_rendezvous.dashboard.feed import Feed
from kubectl_rendezvous.dashboard.followed_list import FollowedList
from kubectl_rendezvous.dashboard.views import missing_view, rendezvous_view
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.following import Following
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.reading import Reader

_log = logging.getLogger(__name__)

_REFRESH_SECONDS = 1.0  # what is concluded from the clock alone; from memory, nothing is asked
_SHORTEST_PAUSE_SECONDS = 0.2
_PAUSE_PER_COST = 4.0
"""A view of 1,000 members takes a while to make: so much longer is the pause after it, and heartbeats come together."""
_LINES_KEPT = 50
_AGAIN_SECONDS = 3.0


class FollowedRendezvous:
    """Makes views of one Rendezvous after the other.

    Args:
        reader: with the reader's rights; its namespace does not matter.
        everything: knows which Rendezvous there are.
    """

    def __init__(self, reader: Reader, everything: FollowedList) -> None:
        self._reader = reader
        self._list = everything

    def follow(self, namespace: str, name: str, feed: Feed, over: threading.Event) -> None:
        """Publish views until ``over``, through everything that goes wrong."""
        reader = Reader(self._reader.connection, namespace)
        while not over.is_set():
            try:
                self._follow_one(reader, name, feed, over)
            except CommandError as error:
                feed.publish(missing_view(name, datetime.now(UTC), str(error)))
                over.wait(_AGAIN_SECONDS)
            except Exception as error:  # a thread that died here would leave a page that looks alive
                _log.exception("The dashboard met something unexpected at %s/%s", namespace, name)
                feed.publish(missing_view(name, datetime.now(UTC), f"The dashboard cannot show it: {error!r}"))
                over.wait(_AGAIN_SECONDS)

    def _follow_one(self, reader: Reader, name: str, feed: Feed, over: threading.Event) -> None:
        """Until it is deleted, if it is there; else until it is there."""
        if not self._list.wait_for(reader.namespace, name, over.is_set, 0.0):
            where = f"There is no Rendezvous {name} in namespace {reader.namespace}. It is shown here when it is made."
            feed.publish(missing_view(name, datetime.now(UTC), where))
            while not over.is_set() and not self._list.wait_for(reader.namespace, name, over.is_set, _REFRESH_SECONDS):
                pass
            return
        first = reader.observe(name)
        happened = deque(((first.now, text) for text in list(first_lines(first))[:1]), maxlen=_LINES_KEPT)
        _publish(feed, first, happened, "")
        before = first
        with Following(reader, first) as following:
            while not over.is_set():
                now = following.wait(_REFRESH_SECONDS)
                began = time.monotonic()
                if now is None:
                    break
                happened.extend((now.now, text) for text in changed_lines(before, now))
                before = now
                _publish(feed, now, happened, following.trouble)
                over.wait(max(_SHORTEST_PAUSE_SECONDS, _PAUSE_PER_COST * (time.monotonic() - began)))


def _publish(feed: Feed, seen: Observation, happened: "deque[tuple[datetime, str]]", trouble: str) -> None:
    feed.publish(rendezvous_view(seen, find_causes(seen), tuple(happened), trouble))
