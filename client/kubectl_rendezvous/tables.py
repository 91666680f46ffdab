"""Tables as rows of text, and their plain form with aligned columns, as kubectl prints them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kube_rendezvous_core.conditions import describe
from kubectl_rendezvous.heartbeats import heartbeat_age
from kubectl_rendezvous.observation import Observation, SeenRendezvous
from kubectl_rendezvous.wording import age

NONE = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """Column titles and rows of equal length."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def aligned(table: Table) -> list[str]:
    """The table's lines: each column as wide as its widest cell, three blanks between, no trailing blanks."""
    lines = (table.titles, *table.rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.titles))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def list_table(all_seen: Sequence[SeenRendezvous], now: datetime, *, wide: bool, namespaces: bool) -> Table:
    """Rendezvous, one a line.

    Args:
        wide: with the verdict, a sentence.
        namespaces: with the namespace of each.
    """
    titles = ("NAME", "STATE", "ROUND", "WORLD", "MIN", "MAX", "STANDBY", "RANK-0", "AGE")
    rows = []
    for seen in all_seen:
        rendezvous = seen.rendezvous
        status, spec = rendezvous.status, rendezvous.spec
        row = (
            rendezvous.name,
            state_of(seen),
            str(status.round),
            str(status.world_size),
            str(spec.min_nodes),
            str(spec.max_nodes),
            str(status.standby),
            status.bootstrap_store.member if status.bootstrap_store is not None else NONE,
            age((now - seen.created).total_seconds()),
        )
        rows.append((*([rendezvous.namespace] if namespaces else []), *row, *([verdict(seen)] if wide else [])))
    return Table((*(["NAMESPACE"] if namespaces else []), *titles, *(["VERDICT"] if wide else [])), tuple(rows))


def state_of(seen: SeenRendezvous) -> str:
    """The state in one word; `Unobserved` if no operator has ever looked at the object."""
    status = seen.rendezvous.status
    return str(status.state) if status.observed_generation else "Unobserved"


def verdict(seen: SeenRendezvous) -> str:
    """What happens now, in one sentence, as far as the status knows it."""
    rendezvous = seen.rendezvous
    if not rendezvous.status.observed_generation:
        return "No operator has looked at it yet."
    behind = rendezvous.status.observed_generation < rendezvous.generation
    return describe(rendezvous.status) + (" (The operator has not answered the newest spec.)" if behind else "")


def rank_table(observation: Observation) -> Table:
    """The members of the newest round by rank, with the domains by which ranks are assigned if there are any."""
    status = observation.rendezvous.status
    by_name = {m.name: m for m in observation.members}
    pods = {pod.uid: pod for pod in observation.pods or ()}
    keys = topology_keys(observation)
    rows = []
    for rank, name in enumerate(status.ranks):
        member = by_name.get(name)
        if member is None:
            rows.append((str(rank), name, NONE, NONE, *(NONE for _ in keys), "member is gone"))
            continue
        silence = heartbeat_age(member, observation.now)
        pod = pods.get(member.pod_uid)
        place = member.node_name or (pod.node_name if pod is not None else "")
        again = " (joined again)" if member.after_round >= status.round else ""
        rows.append(
            (
                str(rank),
                name,
                member.pod_name or NONE,
                place or NONE,
                *domains(observation, place, keys),
                (f"{age(silence)} ago" if silence is not None else "unknown") + again,
            )
        )
    return Table(("RANK", "MEMBER", "POD", "NODE", *(_short(key) for key in keys), "HEARTBEAT"), tuple(rows))


def topology_keys(observation: Observation) -> tuple[str, ...]:
    """Node label keys of `spec.ranking.topologyKeys`, outermost first, if the nodes can be read."""
    return observation.rendezvous.spec.ranking.topology_keys if observation.nodes is not None else ()


def domains(observation: Observation, node_name: str, keys: Sequence[str]) -> tuple[str, ...]:
    """The values of those labels on a node."""
    node = (observation.nodes or {}).get(node_name)
    return tuple((node.labels.get(key) if node is not None else None) or NONE for key in keys)


def _short(key: str) -> str:
    return key.rsplit("/", 1)[-1].upper()
