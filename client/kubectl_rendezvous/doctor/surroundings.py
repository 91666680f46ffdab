"""What was read of a cluster, typed. Where a part is None, we may not read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

INSTALL = "helm upgrade --install kube-rendezvous CHART -n {namespace} --create-namespace --reset-then-reuse-values"
"""The command that installs, or brings up to date, the definitions and the operator; CHART is the reader's to name."""

DEFAULT_OPERATOR_NAMESPACE = "kube-rendezvous-system"


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition.

    Args:
        versions: that it serves.
        established: whether its resource can be used.
        trouble: what the API server says against it; "" if nothing.
        fields: of the spec in our version.
    """

    versions: tuple[str, ...]
    established: bool
    trouble: str
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The operator as it is installed.

    Args:
        ready, wanted: replicas.
        version: label `app.kubernetes.io/version`; "" if it has none.
        account: its service account.
        lease: name of its Lease; "" if it elects no leader.
        serves: the namespaces that it serves; empty: all.
        trouble: what keeps it from being available; "" if nothing.
    """

    namespace: str
    name: str
    ready: int
    wanted: int
    version: str
    account: str
    lease: str
    serves: tuple[str, ...]
    trouble: str


@dataclass(frozen=True, slots=True)
class SeenLease:
    """A Lease, looked at twice if it seemed to have run out.

    Args:
        holder: "" for nobody.
        renewed: as its holder wrote it.
        seconds: for how long its holder may be silent.
        alive: whether it was renewed between two looks; None: one look was enough.
    """

    holder: str
    renewed: datetime | None
    seconds: float
    alive: bool | None = None


@dataclass(frozen=True, slots=True)
class Right:
    """What somebody may do in the namespace."""

    verb: str
    group: str
    resource: str

    @property
    def text(self) -> str:
        """As a person says it."""
        return f"{self.verb} {self.resource}"


@dataclass(frozen=True, slots=True)
class Guard:
    """The admission policy.

    Args:
        policies: names of those that look at Members; None: we may not read policies.
        enforced: those of them that a binding puts in force with Deny.
        complaints: what the API server says of their expressions.
        dry_run: what it answered to a Member of somebody else's pod, written with ``dryRun`` as the trainer, else as
            ourselves: "" if it took it; None: neither may write Members.
    """

    policies: tuple[str, ...] | None
    enforced: tuple[str, ...]
    complaints: tuple[str, ...]
    dry_run: str | None


@dataclass(frozen=True, slots=True)
class Clocks:
    """Clocks, as seconds by which they are ahead of the API server's.

    Args:
        ours: of this machine.
        uncertainty: of that.
        members: of members of the namespace, by name.
        nodes: of nodes that are surely ahead, by name.
    """

    ours: float | None
    uncertainty: float
    members: Mapping[str, float] = field(default_factory=dict)
    nodes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether an operator answered a Rendezvous that was made to try it; after how many seconds."""

    seconds: float | None
    limit: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class ProbedPod:
    """A pod of the training image that was started to try it.

    Args:
        report: what it said; empty if it did not get so far.
        node: where it ran.
        hold: what kept it from running or ended it; "" if nothing.
        ahead: seconds by which its clock is ahead of the API server's; None if that is not known.
    """

    name: str
    report: Mapping[str, object]
    node: str = ""
    hold: str = ""
    ahead: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that was read.

    Args:
        namespace: in which jobs shall run.
        operator_namespace: where the operator was looked for.
        account: the service account of the training pods.
        kubernetes: major and minor version.
        served: versions of our API group that the API server serves.
        definitions: by name; an absent one is None.
        deployments: of the operator.
        lease: of the operator; None: there is none, or we may not read it (see `lease_readable`).
        account_exists: None: we may not see it.
        account_may, operator_may: answers of the API server by right.
        observed: how many Rendezvous of the namespace an operator has answered, and how many there are.
    """

    namespace: str
    operator_namespace: str
    account: str
    kubernetes: tuple[int, int]
    served: tuple[str, ...]
    definitions: Mapping[str, Definition | None] | None
    deployments: tuple[Deployment, ...] | None
    lease: SeenLease | None
    lease_readable: bool
    account_exists: bool | None
    account_may: Mapping[Right, bool] | None
    operator_may: Mapping[Right, bool] | None
    guard: Guard
    clocks: Clocks
    observed: tuple[int, int]
    now: datetime
    answer: Answer | None = None
    pods: tuple[ProbedPod, ProbedPod] | None = None

    @property
    def install(self) -> str:
        """The command that installs."""
        return INSTALL.format(namespace=self.operator_namespace)
