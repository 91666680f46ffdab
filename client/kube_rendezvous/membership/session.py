"""The I/O of one member: its Member object, its heartbeat, and the watch of its Rendezvous."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, ApiUnavailableError, Connection
from kube_rendezvous.cluster.connection import ANSWER_SECONDS
from kube_rendezvous.cluster.set_back import StorageSeen
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.membership.joining_first import FirstJoin, Undecided, may_join_first
from kube_rendezvous.membership.member_requests import post_once
from kube_rendezvous.membership.member_writer import MemberWriter
from kube_rendezvous.membership.outlook import Outlook
from kube_rendezvous.membership.own_member import manifest_of, new_name, places_of
from kube_rendezvous.membership.own_place import OwnPlace
from kube_rendezvous.membership.place_lock import PlaceTakenError
from kube_rendezvous.membership.signs_of_life import SignsOfLife
from kube_rendezvous.membership.slice_request import SliceReader
from kube_rendezvous.membership.standing import (
    MustJoin,
    Place,
    Standing,
    Standpoint,
    circle,
    is_set_back,
    slice_of_circle,
)
from kube_rendezvous.resources import RENDEZVOUS_PLURAL, Rendezvous
from kube_rendezvous.resources.names import CLIENT_MANAGER, collection_path
from kube_rendezvous.resources.rendezvous import USUAL_HEARTBEAT_SECONDS
from kube_rendezvous.signal_proof import Flag

_log = logging.getLogger(__name__)

_UNNOTICED_SECONDS = 5.0
"""Who waits longer says what its first write left out: an operator of before that could be left out knows no such
Member."""

_HOLD_SECONDS = 1.0
"""The watch occupies its connection. Who joins at once after the list does so over that one, before the watch begins,
and needs no second one, with a TLS handshake of its own, before the first heartbeat."""


class Session:
    """One member's dealings with the API server. Start it, use it, stop it.

    Args:
        connection: to the API server.
        namespace, name: of the Rendezvous.
        identity: who this node is.
        watches_neighbours: takes part where members watch each other (`neighbour_watch`).
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        name: str,
        identity: Identity,
        *,
        watches_neighbours: bool = False,
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._what = f"Rendezvous {namespace}/{name}"
        me = Standpoint(places=places_of(identity))
        self.outlook = Outlook(self._what, me, self._look, self._look_into_trouble)
        """What is known, from memory."""
        self._changed, self._sight = self.outlook.changed, self.outlook.sight
        self._joiner: threading.Thread | None = None
        self._joining = ""  # the name that we are joining with
        self._aside = ""  # the name under which we have stepped aside, until we join again
        self._first = FirstJoin()
        self._place = OwnPlace(namespace, name, identity)
        self._slices = SliceReader(connection, namespace, name, self._what)
        self._stopping = Flag()
        self._life = SignsOfLife(
            connection,
            namespace,
            name,
            rendezvous=lambda: self.outlook.rendezvous,
            member=self._living,
            write=self._renew,
            read_circle=self._read_circle,
            watches_neighbours=watches_neighbours,
        )
        self._watcher = Watcher(
            connection,
            collection_path(RENDEZVOUS_PLURAL, namespace),
            {"fieldSelector": f"metadata.name={name}"},
            self._sight,
            name=f"rendezvous-watch-{name}",
            hold_seconds=_HOLD_SECONDS,
        )
        self._writer = MemberWriter(
            connection,
            namespace,
            self._what,
            pause=self._stopping.wait,
            passes=self._is_between_credentials,
            again=self._watcher.go_on,  # what is tried a second time does not hold up the watch any more
            seen=StorageSeen(lambda: (self._watcher.version, self._watcher.list_began), self._look_anew),
        )

    @property
    def started(self) -> bool:
        """Whether it has begun to watch."""
        return self._watcher.thread.started

    def start(self) -> None:
        """Begin to watch the Rendezvous."""
        self._watcher.start()

    def start_by_joining(self, listen: Callable[[], int], deadline: float, *, max_nodes: int) -> None:
        """Join with the first request, and begin to watch with the second: see `joining_first`.

        Whatever is in the way, the usual order follows, which says what it is.

        Args:
            listen: opens the socket for the bootstrap store; returns its port.
            deadline: on the monotonic clock, seconds.
            max_nodes: that the Rendezvous is expected to have; 0 if nothing is known.
        """
        try:
            if may_join_first(self._connection):
                self._join_first(listen(), deadline, self._life.watch_port(max_nodes, USUAL_HEARTBEAT_SECONDS))
        finally:
            if not self._stopping.is_set():
                self._watcher.start(streams_first=self._first.undecided is not None)

    def _join_first(self, port: int, deadline: float, watch_port: int) -> None:
        name = new_name(self._identity)
        try:
            self._place.take(time.monotonic())
            held = self._place.held
            manifest = manifest_of(self._identity, name, self._name, "", port, datetime.now(UTC), held, watch_port)
            seconds = min(ANSWER_SECONDS, max(0.1, (deadline - time.monotonic()) / 2))
            answer = self._writer.post(manifest, seconds)
        except PlaceTakenError:
            return
        except ApiFailureError as failure:
            _log.debug("%s: not joined with the first request: %s", self._what, failure)
            self._first.failed(name, failure, self._connection)
            return
        if answer is not None:
            with self._changed.lock:
                self._first.undecided = Undecided.posted(name, answer)
                self.outlook.become(Standpoint(name, places=self.outlook.me.places))

    def withdraw(self, *, tried: bool = False, present: bool = False, but: str = "") -> None:
        """Take back each Member that was made and has nothing to join, or whose join was not brought to its end.

        Args:
            tried: also what the next join would try again, of which it is not known whether it was made.
            present: also the Member that we are, or were until we stepped aside: nobody joins any more.
            but: of this Member another thread takes leave, and has more to say than that.
        """
        with self._changed.lock:
            if self._first.give_up():
                self.outlook.become(Standpoint(places=self.outlook.me.places))
            kept = {but} if present else {self.outlook.me.name, self._aside}
            if tried:
                self._first.tried = ""
            else:
                kept |= {self._first.tried, self._joining}
        self._writer.leave_only(kept)

    def found_what_it_joined(self) -> bool:
        """Whether the Member that was made before anything was known has joined what was found; true once."""
        with self._changed.lock:
            return self._first.has_found()

    def stop(self) -> None:
        """End both threads and close idle connections. Leaves the Member object as it is. Safe to call twice."""
        self._stopping.set()
        self.outlook.end_waits()
        self._watcher.stop()
        self._life.stop()
        self._place.leave()
        self._connection.close()

    # What is known, and waiting for something else.

    @property
    def slot(self) -> str:
        """Of this node, perhaps ""."""
        return self._identity.slot

    @property
    def trouble(self) -> ApiFailureError | None:
        """Why the watch does not deliver right now, or else the last heartbeat did not arrive; None: both do."""
        with self._changed.lock:
            return self._sight.trouble or self._life.unheard

    @property
    def complaints(self) -> list[str]:
        """What is wrong with this session's own threads, each as a sentence."""
        return [said for said in (self._watcher.thread.complaint, self._life.complaint) if said]

    def took(self, place: Place) -> None:
        """The member goes to this place."""
        with self._changed.lock:
            self.outlook.took(place)
            self._look_at_signs()

    def wait_for_list(self, deadline: float) -> None:
        """See `Outlook`."""
        self.outlook.wait_for_list(self._namespace, deadline)

    def wait_until(self, true: Callable[[], bool], seconds: float) -> bool:
        """See `Outlook`."""
        self._watcher.go_on()
        return self.outlook.wait_until(true, seconds)

    def wait_while(self, unchanged: Standing, seconds: float) -> None:
        """Wait until the member stands elsewhere than at ``unchanged``, `seconds` at the most.

        Raises:
            ApiRefusedError: the API server lets us list the Rendezvous but not watch it. (A right that goes missing
                later is waited for.)
        """

        def moved() -> bool:
            return self.outlook.standing() != unchanged or self.outlook.is_blind

        at_first = min(seconds, _UNNOTICED_SECONDS)
        if self._writer.owes(self.outlook.me.name) and not self.wait_until(moved, at_first):
            self._life.at_once()
            seconds -= at_first
        self.wait_until(moved, seconds)
        with self._changed.lock:
            if self.outlook.is_blind and self._sight.trouble is not None:
                raise self._sight.trouble

    # Writing.

    def create_rendezvous(self, spec: dict[str, Any], deadline: float) -> None:
        """Create the Rendezvous; if somebody else was faster, theirs stands.

        Raises:
            ApiRefusedError, ApiUnavailableError: it could not be created until the deadline.
        """
        body = {
            "apiVersion": "rendezvous.dev/v1alpha1",
            "kind": "Rendezvous",
            "metadata": {"name": self._name, "labels": {"app.kubernetes.io/managed-by": CLIENT_MANAGER}},
            "spec": spec,
        }
        path = collection_path(RENDEZVOUS_PLURAL, self._namespace)
        created = self._writer.persist(lambda seconds: post_once(self._connection, path, body, seconds), deadline)
        if created is not None and "uid" in created.get("metadata", {}):
            self._sight.changed(created)
            return
        # The watch will show the other one; until then there is nothing to do.
        self.wait_until(lambda: self._sight.rendezvous is not None, min(5.0, deadline - time.monotonic()))

    def join(self, port: int, deadline: float) -> None:
        """Join as a new incarnation: one POST. Nothing, if another thread has done so meanwhile.

        Args:
            port: on which this node listens for the bootstrap store.
            deadline: on the monotonic clock, seconds.

        Raises:
            ApiRefusedError, ApiUnavailableError: it could not join until the deadline.
            PlaceTakenError: another process of this pod is in our slot.
        """
        if not self._changed.wait_for(self._may_join, deadline - time.monotonic()):
            raise ApiUnavailableError("POST rendezvousmembers", 0, "", "another thread of this process is joining")
        try:
            rendezvous = self.outlook.rendezvous
            # Else: joined, or deleted, this very moment. The caller will see it where we stand.
            if rendezvous is not None and isinstance(self.outlook.standing(), MustJoin):
                self._join(rendezvous, port, deadline)
        finally:
            with self._changed.lock:
                self._joiner = None
                self._changed.notify_all()

    def _may_join(self) -> bool:
        """Whether no other thread joins; then this one does. With the lock held."""
        me = threading.current_thread()
        if self._joiner not in (None, me):  # me: a signal's handler has raised, and it joins anew
            return False
        self._joiner = me
        return True

    def _join(self, rendezvous: Rendezvous, port: int, deadline: float) -> None:
        self._place.take(deadline)
        watch_port = self._watch_port(rendezvous)

        def post(seconds: float) -> Object | None:
            # The name is chosen here, not by generateName: a POST that was carried out although its answer was lost
            # must not leave a second Member behind when it is sent again.
            held = self._place.held
            where = self._identity, name, self._name, rendezvous.uid, port, joined_at, held, watch_port
            return self._writer.post(manifest_of(*where, after_round=joined.after_round), seconds)

        joined_at = datetime.now(UTC)
        name = self._first.tried or new_name(self._identity)
        before = self.outlook.me
        joined = before.joined(name, rendezvous)
        # A restored backup may hold who we were; all other joins follow one that is gone.
        same = before.rendezvous_uid == rendezvous.uid and not before.expelled
        may_be_back = before.name and same and is_set_back(rendezvous.status, before)
        # The answer may be lost although the Member is there, and has a rank at once: it must not be silent meanwhile.
        self._joining = name
        self._life.start()
        try:
            made = self._writer.persist(post, deadline)
        finally:
            self._joining = ""
        with self._changed.lock:
            if self._first.tried and made is None:  # our first POST was carried out, and said less
                self._say_soon(name, rendezvous, watch_port)
            self._first.tried = ""
            if not may_be_back:
                self._writer.is_replaced(self.outlook.me.name)
            self.outlook.become(joined)
            self._aside = ""
            self._place.is_of(name)
        if may_be_back:
            self.withdraw()

    def rejoin(self, after_round: int, port: int, deadline: float) -> None:
        """Say that this member waits for a round newer than ``after_round``: one PATCH. Arguments, errors as `join`."""
        wish = {"afterRound": after_round, "port": port}
        if self._writer.persist(lambda seconds: self._patch_member(wish, seconds), deadline):
            with self._changed.lock:
                self.outlook.become(self.outlook.me.rejoined(after_round))

    def read_slice(self, digest: str, deadline: float) -> None:
        """Read the slice that tells whether this member is in the round. Arguments, errors as `join`."""
        name = self.outlook.me.name
        read = self._slices.read_or_ask_to_do_without(
            digest,
            name,
            deadline,
            self._writer,
            newest=lambda: self.outlook.rendezvous,
            ask=lambda wish, seconds: self._patch_member(wish, seconds, name=name),
        )
        with self._changed.lock:
            self.outlook.become(replace(self.outlook.me, read=read))

    def _read_circle(self, digest: str, timeout: float) -> None:
        name = self.outlook.me.name
        read = self._slices.read(digest, name, timeout)
        with self._changed.lock:
            if self.outlook.me.name == name:
                self.outlook.become(replace(self.outlook.me, read=read))
                self._look_at_signs()

    def say_goodbye(self, *, close_reason: str | None, leaving: bool, deadline: float) -> None:
        """Mark the Member as leaving, as asking to close, or both: one PATCH.

        Raises:
            ApiRefusedError, ApiUnavailableError: it could not be said until the deadline.
        """
        wish: dict[str, Any] = {"leaving": True} if leaving else {}
        if close_reason is not None:
            wish |= {"closeRequested": True, "closeReason": close_reason[:256]}
        self._writer.persist(lambda seconds: self._patch_member(wish, seconds), deadline)

    def step_aside(self, deadline: float) -> None:
        """Leave with this incarnation; the next join is another one's. Arguments, errors as `say_goodbye`.

        The heartbeat goes on: as long as the Member is there, nobody waits for its pod.
        """
        with self._changed.lock:
            member = self.outlook.me
            self.outlook.become(member.stepped_aside())
            self._aside = "" if member.expelled else member.name
        if self._aside:
            wish = {"leaving": True, "preparing": True}
            self._writer.persist(lambda seconds: self._patch_member(wish, seconds, name=member.name), deadline)

    def _patch_member(self, spec: dict[str, Any], timeout: float, name: str = "") -> bool:
        """PATCH our Member (or the one we have been, `name`); False if it is gone, which is then known."""
        me = self.outlook.me
        name = name or me.name
        if self._writer.patch(name, spec, timeout, lambda written: self._compare(me, written)):
            return True
        self.outlook.is_gone(name)
        return False

    def _compare(self, me: Standpoint, written: Object) -> None:
        """What our Member says is what we had said, or a restored backup has forgotten it: then it is said again."""
        said = written.get("spec") or {}
        if not me.name or (written.get("metadata") or {}).get("name") != me.name:
            return
        with self._changed.lock:
            now = self.outlook.me
            reminded = now.reminded(me, said.get("afterRound", me.after_round))
            if reminded is not now:
                self.outlook.become(reminded)
                self._look_anew()
            rendezvous = self._sight.rendezvous
        belongs = rendezvous is not None and rendezvous.uid == me.rendezvous_uid
        if rendezvous is not None and belongs and "rendezvous" in said and "rendezvousUID" not in said:
            self._say_soon(me.name, rendezvous, self._watch_port(rendezvous), at_once=False)

    def _is_between_credentials(self, failure: ApiFailureError) -> bool:
        """Who was let in before is let in again, when the new credentials are there: the old ones may end first."""
        return failure.status == 401 and self._sight.listed

    # The heartbeat.

    def _living(self) -> str:
        with self._changed.lock:
            me = self.outlook.me
            return self._joining or (self._aside if me.expelled else me.name or self._aside)

    def _renew(self, name: str, wish: dict[str, Any], timeout: float) -> None:
        if not self._patch_member(wish, timeout=timeout, name=name) and name == self._aside:
            self._aside = ""

    # What the watch has shown. With the lock held.

    def _look(self) -> None:
        self._decide_on_first_join()
        self._look_at_signs()

    def _look_anew(self) -> None:
        _log.warning("%s: the API server's storage was set back, as by a restored backup; all is read anew", self._what)
        self._watcher.begin_anew()

    def _look_into_trouble(self) -> None:
        if self._first.undecided is not None:
            self._life.start()

    def _decide_on_first_join(self) -> None:
        """Take the Member that was made before the Rendezvous was seen for one of this, or give it up."""
        undecided, rendezvous = self._first.undecided, self._sight.rendezvous
        if undecided is None:
            return
        self._life.start()
        if rendezvous is None:
            return
        self.outlook.become(self._first.decide(undecided, rendezvous, Standpoint(places=self.outlook.me.places)))
        if self.outlook.me.name:
            self._place.is_of(undecided.name)
            watch_port = self._watch_port(rendezvous)
            self._say_soon(undecided.name, rendezvous, watch_port, at_once=not undecided.counts_in(rendezvous))

    def _watch_port(self, rendezvous: Rendezvous) -> int:
        return self._life.watch_port(rendezvous.spec.max_nodes, rendezvous.spec.heartbeat_seconds)

    def _say_soon(self, name: str, rendezvous: Rendezvous, watch_port: int, *, at_once: bool = True) -> None:
        """Write with the next heartbeat what the first POST did not say."""
        said: dict[str, Any] = {"rendezvousUID": rendezvous.uid}
        self._writer.say_next(name, {**said, "watchPort": watch_port} if watch_port else said)
        if at_once:
            self._life.at_once()

    def _look_at_signs(self) -> None:
        rendezvous, me = self._sight.rendezvous, self.outlook.me
        if rendezvous is not None and me.name:
            status = rendezvous.status
            self._life.look(rendezvous, me.name, circle(status, me), slice_of_circle(status, me))
