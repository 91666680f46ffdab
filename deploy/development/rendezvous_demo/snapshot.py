"""The nodes as a person wants to see them now, put together from processes, objects and training log."""

from collections.abc import Sequence
from dataclasses import dataclass

from kube_rendezvous.resources import Member, RendezvousStatus
from rendezvous_demo.measurements import store_endpoint
from rendezvous_demo.nodes import NodeFacts
from rendezvous_demo.observation import Seen
from rendezvous_demo.training_log import Step


@dataclass(frozen=True)
class Row:
    """One node. What is not known, or has no meaning now, is None."""

    node: str
    member: str | None
    rank: int | None
    world_size: int | None
    round: int | None
    epoch: int | None
    loss: float | None
    state: str


@dataclass(frozen=True)
class Snapshot:
    """All nodes, and the verdict of the Rendezvous in its own words; `store` is empty before the first round."""

    rows: tuple[Row, ...]
    state: str
    verdict: str
    store: str


def take_snapshot(nodes: Sequence[NodeFacts], seen: Seen, steps: Sequence[Step]) -> Snapshot:
    """Put together what is known now.

    Args:
        nodes: The processes.
        seen: Everything that was observed.
        steps: Everything that was trained.
    """
    newest = seen.newest
    status = newest.status if newest else RendezvousStatus()
    master = store_endpoint(newest) if newest else None
    last_steps = {step.rank: step for step in steps[-200:] if step.master == master}
    formed = next((condition for condition in status.conditions if condition.type == "Formed"), None)
    return Snapshot(
        rows=tuple(_row(node, seen.member_of(node.name), status, last_steps) for node in nodes),
        state=str(status.state) if newest else "",
        verdict=formed.message if formed else "No operator has looked at it yet.",
        store=_store(status),
    )


def _store(status: RendezvousStatus) -> str:
    store = status.bootstrap_store
    return f"{store.member} serves the bootstrap store at {store.address}:{store.port}" if store else ""


def _row(node: NodeFacts, member: Member | None, status: RendezvousStatus, last_steps: dict[int, Step]) -> Row:
    if node.exit_status is not None:
        name = member.name if member else None
        ended = "killed" if node.killed else "finished" if node.exit_status == 0 else f"failed ({node.exit_status})"
        return Row(node.name, name, None, None, None, None, None, ended)
    if member is None:
        return Row(node.name, None, None, None, None, None, None, "starting")
    if member.name not in status.ranks or member.after_round >= status.round:
        return Row(node.name, member.name, None, None, None, None, None, "waiting for a round")
    rank = status.ranks.index(member.name)
    step = last_steps.get(rank)
    told = status.forming is not None and status.forming.interrupts
    return Row(
        node=node.name,
        member=member.name,
        rank=rank,
        world_size=status.world_size,
        round=status.round,
        epoch=step.epoch if step else None,
        loss=step.loss if step else None,
        state="told to join again" if told else "training" if step else "starting its worker",
    )
