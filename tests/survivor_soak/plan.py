"""What is done to the nodes in one schedule, and when: pure, and the same for the same seed."""

import random
from dataclasses import dataclass
from enum import StrEnum

NODES, WORKERS = 3, 2
GUEST = NODES
"""The place of the node that comes and goes."""
LONGEST_PAUSE = 0.6
LONGEST_ABSENCE = 1.0
LONGEST_STOP = 5.0  # a silence of 3 s is a loss


class Act(StrEnum):
    """One thing that happens."""

    KILL_NODE = "kill node"  # SIGKILL for the launcher and all workers
    KILL_TWO_NODES = "kill two nodes"
    KILL_LAUNCHER = "kill launcher"  # alone
    KILL_WORKER = "kill worker"
    KILL_FIRST_WORKER = "kill the worker with rank 0"
    KILL_TWO_WORKERS = "kill two workers"
    KILL_ALL_WORKERS = "kill all workers of a node"  # but not the launcher
    STOP_NODE = "stop node"  # SIGSTOP for all of it, SIGCONT later
    STOP_WORKER = "stop worker"
    DELETE_MEMBER = "delete member"
    ADD_NODE = "add node"
    END_NODE = "end node"  # SIGTERM for the launcher
    KILL_OPERATOR = "kill operator"
    # What follows from the above.
    START_NODE = "start node"
    CONTINUE_NODE = "continue node"
    CONTINUE_WORKER = "continue worker"
    DELETE_GHOST = "delete the lost node's member"


_WEIGHTS = {
    Act.KILL_NODE: 4,
    Act.KILL_TWO_NODES: 2,
    Act.KILL_LAUNCHER: 1,
    Act.KILL_WORKER: 4,
    Act.KILL_FIRST_WORKER: 3,
    Act.KILL_TWO_WORKERS: 2,
    Act.KILL_ALL_WORKERS: 2,
    Act.STOP_NODE: 3,
    Act.STOP_WORKER: 2,
    Act.DELETE_MEMBER: 3,
    Act.ADD_NODE: 3,
    Act.END_NODE: 2,
    Act.KILL_OPERATOR: 1,
}


@dataclass(frozen=True)
class Blow:
    """One act.

    Args:
        at: seconds after the begin of the schedule.
        act: see there.
        node: the place of the node; -1: none, or whoever has rank 0.
        worker: its local rank; -1: none, or all.
    """

    at: float
    act: Act
    node: int = -1
    worker: int = -1

    def __str__(self) -> str:
        whom = f" {self.node}" if self.node >= 0 else ""
        return f"{self.at:.2f} {self.act}{whom}" + (f".{self.worker}" if self.worker >= 0 else "")


@dataclass(frozen=True)
class Schedule:
    """All blows in the order of time.

    Args:
        seed: of all of it.
        blows: what happens.
        spared: place and local rank of the worker that nothing is done to, so that the training's state lives on.
    """

    seed: int
    blows: tuple[Blow, ...]
    spared: tuple[int, int]

    def touches(self, node: int, worker: int) -> bool:
        """Whether the worker's own process may end or be replaced by it."""
        whole_node = any(blow.node == node and blow.worker < 0 and blow.act in _TOUCH_NODE for blow in self.blows)
        whole_node |= node == GUEST and any(blow.act is Act.ADD_NODE for blow in self.blows)  # goes, and may come again
        return whole_node or any((blow.node, blow.worker) == (node, worker) for blow in self.blows)

    def __str__(self) -> str:
        return f"schedule {self.seed}: " + ", ".join(map(str, self.blows))


_TOUCH_NODE = frozenset(
    {Act.KILL_NODE, Act.KILL_LAUNCHER, Act.KILL_ALL_WORKERS, Act.STOP_NODE, Act.END_NODE, Act.START_NODE}
)


def schedule(seed: int) -> Schedule:
    """Draw a schedule of one to three acts, and what follows from them."""
    chance = random.Random(seed)
    spared = chance.randrange(NODES), chance.randrange(WORKERS)
    at, blows = 0.0, []
    for _ in range(chance.randint(1, 3)):
        at += chance.choice([0.0, chance.uniform(0.0, LONGEST_PAUSE)])
        (act,) = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        blows += _blows_of(act, at, chance, spared)
    return Schedule(seed, tuple(sorted(blows, key=lambda blow: blow.at)), spared)


def _blows_of(act: Act, at: float, chance: random.Random, spared: tuple[int, int]) -> list[Blow]:
    others = [node for node in range(NODES) if node != spared[0]]
    workers = [(node, worker) for node in range(NODES) for worker in range(WORKERS) if (node, worker) != spared]
    match act:
        case Act.KILL_NODE | Act.KILL_LAUNCHER:
            return _loss(act, chance.choice(others), at, chance)
        case Act.KILL_TWO_NODES:
            return [blow for node in others for blow in _loss(Act.KILL_NODE, node, at, chance)]
        case Act.END_NODE:
            node = chance.choice(others)
            return [Blow(at, act, node), Blow(at + chance.uniform(0, LONGEST_ABSENCE), Act.START_NODE, node)]
        case Act.KILL_WORKER:
            return [Blow(at, act, *chance.choice(workers))]
        case Act.KILL_TWO_WORKERS:
            return [Blow(at, Act.KILL_WORKER, *worker) for worker in chance.sample(workers, 2)]
        case Act.KILL_ALL_WORKERS:
            return [Blow(at, act, chance.choice(others))]
        case Act.STOP_NODE:
            node = chance.choice(others)
            return [Blow(at, act, node), Blow(at + chance.uniform(0.1, LONGEST_STOP), Act.CONTINUE_NODE, node)]
        case Act.STOP_WORKER:
            worker = chance.choice(workers)
            return [Blow(at, act, *worker), Blow(at + chance.uniform(0.1, LONGEST_STOP), Act.CONTINUE_WORKER, *worker)]
        case Act.DELETE_MEMBER:
            return [Blow(at, act, chance.randrange(NODES))]
        case _:
            return [Blow(at, act)]


def _loss(act: Act, node: int, at: float, chance: random.Random) -> list[Blow]:
    """Mostly somebody tells that it is lost, as the deletion of its pod does; else its silence does."""
    back = at + chance.uniform(0.0, LONGEST_ABSENCE)
    told = [Blow(at, Act.DELETE_GHOST, node)] if chance.random() < 0.8 else []
    return [Blow(at, act, node), *told, Blow(back, Act.START_NODE, node)]
