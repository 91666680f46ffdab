"""``spec.ranking``: which node labels shape the order of ranks, and on which nodes rank 0 should be."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kube_rendezvous.resources.topology_presets import TOPOLOGY_PRESETS


class Operator(StrEnum):
    """How a requirement of a label selector compares, as in Kubernetes."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry of ``matchExpressions``. ``values`` is for In and NotIn only."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it. As in Kubernetes, NotIn holds for an object without the label."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A Kubernetes label selector. ``match_labels``: pairs of key and value, sorted by key."""

    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy every part of it; an empty selector matches everything."""
        return all(labels.get(key) == value for key, value in self.match_labels) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """What shapes the order of ranks besides stickiness.

    Args:
        topology_keys: keys of node labels, outermost first; none: the topology does not matter.
        rank_zero_avoid: nodes that hold rank 0 only if there is no other.
        rank_zero_prefer: nodes that should hold rank 0; with both, avoiding counts more.
        preset: name of the well-known labels that the topology keys are; "" if they were written out.
    """

    topology_keys: tuple[str, ...] = ()
    rank_zero_avoid: LabelSelector | None = None
    rank_zero_prefer: LabelSelector | None = None
    preset: str = ""


def parse_ranking(ranking: Mapping[str, Any]) -> Ranking:
    """Read ``spec.ranking``, whose schema the API server has already enforced.

    Raises:
        KeyError, ValueError, TypeError: it does not follow the CRD.
    """
    wish: Mapping[str, Any] = ranking.get("rankZero") or {}
    preset = str(ranking.get("preset") or "")
    return Ranking(
        preset=preset,
        topology_keys=tuple(ranking.get("topologyKeys") or TOPOLOGY_PRESETS.get(preset, ())),
        rank_zero_avoid=_parse_selector(wish.get("avoid")),
        rank_zero_prefer=_parse_selector(wish.get("prefer")),
    )


def _parse_selector(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    if selector is None:
        return None
    return LabelSelector(
        match_labels=tuple(sorted((selector.get("matchLabels") or {}).items())),
        match_expressions=tuple(
            Requirement(entry["key"], Operator(entry["operator"]), tuple(entry.get("values") or ()))
            for entry in selector.get("matchExpressions") or ()
        ),
    )


def ranking_to_json(ranking: Ranking) -> dict[str, Any]:
    """``spec.ranking`` as a manifest has it; what is not set is left out."""
    out: dict[str, Any] = {}
    if ranking.preset:
        out["preset"] = ranking.preset
    elif ranking.topology_keys:
        out["topologyKeys"] = list(ranking.topology_keys)
    wishes = {"avoid": ranking.rank_zero_avoid, "prefer": ranking.rank_zero_prefer}
    rank_zero = {wish: _selector_to_json(selector) for wish, selector in wishes.items() if selector is not None}
    if rank_zero:
        out["rankZero"] = rank_zero
    return out


def _selector_to_json(selector: LabelSelector) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if selector.match_labels:
        out["matchLabels"] = dict(selector.match_labels)
    if selector.match_expressions:
        out["matchExpressions"] = [_requirement_to_json(requirement) for requirement in selector.match_expressions]
    return out


def _requirement_to_json(requirement: Requirement) -> dict[str, Any]:
    out: dict[str, Any] = {"key": requirement.key, "operator": str(requirement.operator)}
    return out | {"values": list(requirement.values)} if requirement.values else out
