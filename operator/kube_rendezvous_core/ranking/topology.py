"""Where members run: their path through the topology, and whether rank 0 is welcome there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kube_rendezvous.resources import Member, Ranking
from kube_rendezvous_core.conditions import Notice
from kube_rendezvous_core.observed.surroundings import Surroundings

TOPOLOGY_UNKNOWN = "TopologyUnknown"

Path = tuple[str, ...]
"""The values of a node's topology labels, outermost first; "" where the node has none."""

SEPARATOR = "/"  # cannot be part of a label's value


@dataclass(frozen=True, slots=True)
class Topology:
    """What `spec.ranking` and the nodes' labels say about members. Make it with `Topology.of`.

    Args:
        ranking: the wish.
        node_labels: labels by node name.
        previous_paths: path of each rank of the round before; None: not known.
        remembered: the same by the name of the member that held the rank.
    """

    ranking: Ranking = field(default_factory=Ranking)
    node_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    previous_paths: tuple[Path | None, ...] = ()
    remembered: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        ranking: Ranking,
        node_labels: Mapping[str, Mapping[str, str]],
        previous_domains: Sequence[str] = (),
        previous: Sequence[str] = (),
    ) -> "Topology":
        """Gather what is known.

        Args:
            ranking: `spec.ranking`.
            node_labels: labels by node name, of the nodes that are known.
            previous_domains: `status.domains`: where the members of the round before ran.
            previous: `status.ranks`; with it, a survivor whose node is not known now counts as where it was.
        """
        levels = len(ranking.topology_keys)
        # Domains of another depth were written under other topologyKeys and say nothing about these.
        paths = tuple(_path(domain, levels) for domain in previous_domains) if levels else ()
        remembered = {name: path for name, path in zip(previous, paths, strict=False) if path is not None}
        return cls(ranking, node_labels, paths, remembered)

    @property
    def has_levels(self) -> bool:
        """Whether the topology matters at all."""
        return bool(self.ranking.topology_keys)

    @property
    def has_wish(self) -> bool:
        """Whether it matters which node holds rank 0."""
        return self.ranking.rank_zero_avoid is not None or self.ranking.rank_zero_prefer is not None

    def path_of(self, member: Member) -> Path:
        """Values of the topology labels of the member's node, one a level; "" for a missing label or node."""
        keys = self.ranking.topology_keys
        labels = self._labels_of(member)
        if labels is None:
            return self.remembered.get(member.name, ("",) * len(keys))
        return tuple(labels.get(key, "") for key in keys)

    def path_before(self, rank: int) -> Path | None:
        """Path of the member that held the rank in the round before; None if it is not known."""
        return self.previous_paths[rank] if rank < len(self.previous_paths) else None

    def reluctance(self, member: Member) -> int:
        """How little the member's node is wanted for rank 0; 0 = nothing speaks against it."""
        labels = self._labels_of(member) or {}
        avoid, prefer = self.ranking.rank_zero_avoid, self.ranking.rank_zero_prefer
        avoided = avoid is not None and avoid.matches(labels)
        passed_over = prefer is not None and not prefer.matches(labels)
        return 2 * avoided + passed_over

    def domains(self, members: Sequence[Member]) -> tuple[str, ...]:
        """`status.domains` for members in the order of their ranks; empty without topologyKeys."""
        if not self.has_levels:
            return ()
        paths = (self.path_of(member) for member in members)
        return tuple(SEPARATOR.join(path) if any(path) else "" for path in paths)

    def _labels_of(self, member: Member) -> Mapping[str, str] | None:
        return self.node_labels.get(member.node_name)


def topology_blindness(ranking: Ranking, surroundings: Surroundings) -> Notice:
    """Why `spec.ranking` has no effect, with what to do."""
    holds: bool | None = None
    if ranking == Ranking() or surroundings.nodes is not None:
        holds = False
    elif surroundings.nodes_refused:
        holds = True
    return Notice(
        TOPOLOGY_UNKNOWN,
        holds,
        "NodesNotVisible",
        _blindness(ranking),
        "NothingHidden",
        "Nothing hinders spec.ranking.",
    )


def _blindness(ranking: Ranking) -> str:
    keys = f"preset {ranking.preset}" if ranking.preset else f"topologyKeys {', '.join(ranking.topology_keys)}"
    wishes = [keys] if ranking.topology_keys else []
    wishes += ["rankZero"] if ranking.rank_zero_avoid is not None or ranking.rank_zero_prefer is not None else []
    return (
        f"The operator may not see nodes, so spec.ranking ({'; '.join(wishes)}) has no effect and ranks follow names: "
        "grant its service account list and watch on nodes by a ClusterRole, or remove spec.ranking."
    )


FLAT = Topology()
"""No topology, no wish for rank 0."""


def _path(domain: str, levels: int) -> Path | None:
    path = tuple(domain.split(SEPARATOR)) if domain else ("",) * levels
    return path if len(path) == levels else None
