"""Prometheus metrics of the operator, in a registry of their own. Labels are bounded: no object's name is one."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

Count = Callable[[], Mapping[str, int]]


class Metrics:
    """All of them; implements `Measurements`.

    Args:
        leading: asked at each scrape.
    """

    def __init__(self, leading: Callable[[], bool]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a third more series that say nothing
        self._registry = registry = CollectorRegistry()
        self._rounds = Counter(
            "kube_rendezvous_rounds",
            "Rounds by what became of them: formed (published), stalled (too few members for too long; may still be "
            "formed later), closed (the rendezvous closed while one was being formed).",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("formed", "stalled", "closed"):
            self._rounds.labels(outcome)
        self._round_seconds = Histogram(
            "kube_rendezvous_round_duration_seconds",
            "From the moment a round began to be formed (the first member came, or a loss was decided) until it was "
            "published.",
            buckets=_SLOW,
            registry=registry,
        )
        self._told_seconds = Histogram(
            "kube_rendezvous_loss_to_told_seconds",
            "From the moment the operator received the event of a loss (for silence: when it was due to be judged) "
            "until the status write that tells the survivors had succeeded.",
            buckets=_FAST,
            registry=registry,
        )
        self._reconcile_seconds = Histogram(
            "kube_rendezvous_reconcile_seconds",
            "One look at one rendezvous, requests to the API server included.",
            buckets=_FAST,
            registry=registry,
        )
        self._restarts = Counter(
            "kube_rendezvous_watch_restarts",
            "Watches that ended and were opened again: ended (by the server's own time limit, or quiet for too long; "
            "normal), expired (410, listed again; normal), refused (no right or no such resource), broken (no answer "
            "or an error).",
            ["resource", "reason"],
            registry=registry,
        )
        self._requests = Counter(
            "kube_rendezvous_api_requests",
            "Requests to the API server by HTTP verb and status code (none: no answer). kopf's own list and watch of "
            "rendezvous is not among them.",
            ["verb", "code"],
            registry=registry,
        )
        Gauge(
            "kube_rendezvous_leader",
            "1 while this process leads (or runs without leader election), else 0.",
            registry=registry,
        ).set_function(lambda: float(leading()))
        ProcessCollector(registry=registry)

    def count_at_scrape(self, members: Count, rendezvous: Count) -> None:
        """From now on show these, by state, as they are at each scrape."""
        self._registry.register(_Counted(members, rendezvous))

    def text(self) -> bytes:
        """What `/metrics` answers, as `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def request(self, method: str, status: int, path: str) -> None:
        """See `Measurements`."""
        self._requests.labels(method if method in _VERBS else "other", str(status) if status else "none").inc()

    def watch_restarted(self, resource: str, reason: str) -> None:
        """See `Measurements`."""
        self._restarts.labels(resource, reason).inc()

    def reconciled(self, seconds: float) -> None:
        """See `Measurements`."""
        self._reconcile_seconds.observe(seconds)

    def round_ended(self, outcome: str) -> None:
        """See `Measurements`."""
        self._rounds.labels(outcome).inc()

    def round_formed(self, seconds: float) -> None:
        """See `Measurements`."""
        self._round_seconds.observe(seconds)

    def told(self, seconds: float) -> None:
        """See `Measurements`."""
        self._told_seconds.observe(seconds)


class _Counted(Collector):
    """Counts when it is asked, so that nothing is kept for an object that is gone and no event pays for it."""

    def __init__(self, members: Count, rendezvous: Count) -> None:
        self._families = (
            (
                "kube_rendezvous_members",
                "Members by state: ranked (in the newest round), waiting (for the next one), standby, surplus (to go "
                "home), unknown (their rendezvous is not known).",
                members,
            ),
            ("kube_rendezvous_rendezvous", "Rendezvous by status.state.", rendezvous),
        )

    def collect(self) -> Iterable[Metric]:
        for name, text, count in self._families:
            family = GaugeMetricFamily(name, text, labels=["state"])
            for state, number in count().items():
                family.add_metric([state], number)
            yield family
