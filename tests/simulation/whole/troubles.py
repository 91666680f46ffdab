"""What goes wrong, at random: processes, pods, nodes, watches, operators, the API server, and people."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulation.whole.client_process import Client
from simulation.whole.devices import HEALTHY, UNHEALTHY, UNKNOWN
from simulation.whole.world import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from simulation.whole.scenario import Scenario

_REPLACED = 0.6
_CLOSED_BY_HAND = 0.2
_MENDED = 0.5


class Troubles:
    """One thing after the other, until all is calm; all but those ``without`` whose numbers it shall be.

    Attributes:
        blows: how many there were.
    """

    def __init__(self, scenario: "Scenario", without: frozenset[int]) -> None:
        self.blows, self._without = 0, without
        self._scenario, self._world, self._rng = scenario, scenario.world, scenario.world.rng
        self._cluster = scenario.cluster
        self._pause = self._rng.choice([1.5, 4.0, 10.0])
        self._stretch = 0

    def begin(self) -> None:
        """Let things go wrong from now on."""
        self._stretch += 1
        stretch = self._stretch
        self._world.after(self._rng.uniform(0.0, 10.0), lambda: self._next(stretch))

    def _next(self, stretch: int) -> None:
        if self._world.calm or stretch != self._stretch:
            return
        self._world.after(self._rng.expovariate(1 / self._pause), lambda: self._next(stretch))
        kinds = self._kinds
        what = self._rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        self.blows += 1
        if self.blows in self._without:
            return
        try:
            what()
        except (NotFoundError, UnavailableError):
            self._world.say("somebody is refused")

    @property
    def _kinds(self) -> list[tuple[Callable[[], None], int]]:
        return [
            (self._die, 6), (self._leave, 2), (self._fail, 5), (self._delete_member, 3), (self._delete_pod, 3),
            (self._crash, 6), (self._cut, 7), (self._join, 4), (self._edit, 1), (self._warn, 4), (self._drain, 2),
            (self._trust, 1), (self._outage, 1), (self._delete_rendezvous, 1), (self._cut_client, 3),
            (self._close, 1), (self._take_slice, 2), (self._ail, 3),
        ]  # fmt: skip

    def _client(self) -> Client | None:
        alive = self._scenario.living()
        return self._rng.choice(alive) if alive else None

    def _come_again(self, one: Client, seconds: float) -> None:
        self._world.after(seconds, lambda: self._scenario.start(one.place))

    # Processes

    def _die(self) -> None:
        if (one := self._client()) is None:
            return
        one.die()
        home, back = one.home, self._rng.random() < _REPLACED
        if not home.labelled:
            if back:
                later = self._rng.uniform(0.1, 8.0)
                self._world.after(later, lambda: self._scenario.start_process(one.place, home))
        elif self._rng.random() < 0.3:
            pass  # its node is cut off: nobody says anything
        else:
            self._cluster.end_container(home.pod_uid, last=not back)
            if back:
                later = self._rng.uniform(1.2, 8.0)
                self._world.after(later, lambda: self._scenario.run_pod(one.place, home))
            elif self._rng.random() < _REPLACED:
                self._come_again(one, self._rng.uniform(0.1, 5.0))

    def _leave(self) -> None:
        if (one := self._client()) is not None:
            one.leave(close=self._rng.random() < 0.15)

    def _fail(self) -> None:
        if (one := self._client()) is not None:
            one.fail()

    def _join(self) -> None:
        self._scenario.start(len(self._scenario.clients) + 100)

    # Pods and nodes

    def _delete_pod(self) -> None:
        # Kubernetes removes the Member with its Pod; that the watch is cut just then is bad luck.
        one = self._client()
        if one is None or one.me.name not in self._world.members:
            return
        if self._rng.random() < 0.5:
            for operator in self._scenario.operators:
                operator.cut_a_watch(
                    self._rng.choice([0, 0, 2]) if one.home.labelled else 0, self._rng.uniform(0.1, 3.0)
                )
        if one.home.labelled:
            self._end(one)
            if self._rng.random() < _REPLACED:
                self._come_again(one, self._rng.uniform(0.1, 5.0))
        else:
            one.die()
            self._world.delete_member(one.me.name)

    def _warn(self) -> None:
        one = self._client()
        if one is not None and one.home.labelled:
            self._end_with_warning(one)

    def _end_with_warning(self, one: Client) -> None:
        self._cluster.warn(one.home.pod_uid, eviction=self._rng.random() < 0.5)
        self._world.after(self._rng.uniform(2.0, 15.0), lambda: self._end(one))
        if self._rng.random() < _REPLACED:
            self._come_again(one, self._rng.uniform(0.1, 10.0))

    def _end(self, one: Client) -> None:
        """It goes, and whoever has taken its place in the same pod goes with it."""
        for other in self._scenario.living():
            if other is one or (one.home.pod_uid and other.home.pod_uid == one.home.pod_uid):
                other.die()
        if one.home.labelled:
            self._cluster.delete_pod(one.home.pod_uid)

    def _ail(self) -> None:
        one = self._client()
        if one is None or not one.home.labelled:
            return
        uid, health = one.home.pod_uid, UNKNOWN if self._rng.random() < 0.1 else UNHEALTHY
        self._cluster.say_of_its_device(uid, health)
        if self._rng.random() < _MENDED:
            later = self._rng.uniform(1.0, 15.0)
            self._world.after(later, lambda: self._cluster.say_of_its_device(uid, HEALTHY))

    def _drain(self) -> None:
        fit = [node for node in self._cluster.nodes if node not in self._cluster.drained]
        if len(fit) < 3:
            return
        node = self._rng.choice(fit)
        self._cluster.drain(node)
        for one in self._scenario.living():
            if one.home.node == node and one.home.labelled:
                self._world.after(self._rng.uniform(1.0, 12.0), lambda one=one: self._end_with_warning(one))
        self._world.after(20.0, lambda: self._replace(node))

    def _replace(self, node: str) -> None:
        for one in self._scenario.living():
            if one.home.node == node:
                self._end(one)
        for uid, pod in list(self._world.objects["pods"].items()):
            if pod["spec"]["nodeName"] == node:
                self._cluster.delete_pod(uid)
        self._cluster.replace_node(node)

    # The control plane and people

    def _delete_member(self) -> None:
        if self._world.members:
            name = self._rng.choice(list(self._world.members))
            self._world.say(f"{name} is deleted by hand")
            self._scenario.invariants.deleted_by_hand.add(name)
            self._world.delete_member(name)

    def _take_slice(self) -> None:
        if self._world.take_slice():
            self._scenario.invariants.count("slice deleted by hand")

    def _crash(self) -> None:
        operator = self._rng.choice(self._scenario.operators)
        if self._rng.random() < 0.5:
            operator.dies_after_writes = self._rng.randint(1, 6)
        else:
            self._scenario.replace_operator(operator)

    def _cut(self) -> None:
        seconds = self._rng.choice([0.1, 3.0, 20.0])
        self._rng.choice(self._scenario.operators).cut_a_watch(self._rng.randrange(4), seconds)

    def _cut_client(self) -> None:
        if (one := self._client()) is not None:
            one.cut_watch(self._rng.choice(self._scenario.client_cuts))

    def _edit(self) -> None:
        low = self._rng.randint(1, 4)
        self._world.edit_spec(min_nodes=low, max_nodes=low + self._rng.randint(1, 8), node_unit=1)

    def _close(self) -> None:
        known = self._world.rendezvous
        if known is not None and not known.spec.closed and self._rng.random() < _CLOSED_BY_HAND:
            self._world.edit_spec(closed=True)
            self._world.after(self._rng.uniform(0.5, 20.0), self._open)

    def _open(self) -> None:
        known = self._world.rendezvous
        if known is not None and known.spec.closed and not self._world.calm and not self._world.away:
            self._world.edit_spec(closed=False)

    def _trust(self) -> None:
        known = self._world.rendezvous
        if known is not None and known.status.quarantined:
            self._world.trust(self._rng.choice(known.status.quarantined).place)

    def _outage(self) -> None:
        self._world.go_away(self._rng.choice([2.0, 12.0, 25.0]))

    def _delete_rendezvous(self) -> None:
        if self._rng.random() < 0.3:
            self._world.delete_rendezvous()
