"""What a resize may do: one round, and no survivor's pod, container or process ends."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from e2e.container_processes import main_process
from e2e.example_overlay import replace
from e2e.figures import Figures
from e2e.running_example import FIRST_STEP, RunningExample

LIMIT = 240.0


@dataclass(frozen=True)
class Survivor:
    """What stays the same of a pod that nothing happens to."""

    uid: str
    address: str
    restarts: int
    process: int


def survivors_of(run: RunningExample) -> dict[str, Survivor]:
    """The pods that train now, by name, with process 1 of each as this machine numbers it."""
    trains = {member.pod_name for member in run.ranked}
    return {
        name: Survivor(pod.uid, pod.address, pod.restarts, main_process(pod.container_id))
        for name, pod in run.pods.items()
        if name in trains
    }


@contextmanager
def one_round_of(
    run: RunningExample, nodes: int, figures: Figures, what: str, *, leave: Iterable[str] = ()
) -> Iterator[None]:
    """What happens in the block leads to one round of that many nodes, in which all train.

    Args:
        run: of the example.
        nodes: of the round.
        figures: the time from the beginning of the block to the round is added.
        what: the row of the table.
        leave: pods that are not expected to survive; None of the others may end or be started again.
    """
    before, old = run.rendezvous.status.round, survivors_of(run)
    steps = {name: len(run.log(name).matching(FIRST_STEP)) for name in old}
    began = time.monotonic()
    yield
    run.wait_for_round(nodes, LIMIT, after=before)
    figures.add(what, time.monotonic() - began, "s")
    new = survivors_of(run)
    gone = set(old) - set(new)
    assert gone <= set(leave), f"{gone} have gone"
    assert {name: old[name] for name in new if name in old} == {name: new[name] for name in new if name in old}
    for name in new:
        run.log(name).wait_for(rf"of {nodes}: {FIRST_STEP}", LIMIT, more_than=_of_that_size(run, name, nodes, steps))
    run.wait_for_later_steps({name: run.latest_step(name) for name in new}, LIMIT)
    assert run.rendezvous.status.round == before + 1, history(run)


def _of_that_size(run: RunningExample, name: str, nodes: int, steps: dict[str, int]) -> int:
    """How many first steps of such rounds the log had before this one."""
    earlier = run.log(name).matching(FIRST_STEP)[: steps.get(name, 0)]
    return sum(f"of {nodes}: " in line.text for line in earlier)


def history(run: RunningExample) -> str:
    """Why each round was formed."""
    return "; ".join(f"{past.round} {past.reason}: {past.message}" for past in run.rendezvous.status.history)


def seconds_from_told_to_round(run: RunningExample, act: Callable[[], object]) -> float:
    """How long after the members were told of the end of their round the next one is there.

    It may have the replacement in it already, if that is quick.
    """
    with ThreadPoolExecutor(1) as beside:
        seconds = beside.submit(_from_told_to_round, run, run.rendezvous.status.round)
        act()
        return seconds.result()


def _from_told_to_round(run: RunningExample, round_: int) -> float:
    run.wait_until_told(round_, LIMIT)
    began = time.monotonic()
    run.wait("next round", lambda it: it.status.round > round_, LIMIT)
    return time.monotonic() - began


def delete_by_force(run: RunningExample, pod: str) -> None:
    """As when its node is gone."""
    path = f"/api/v1/namespaces/{run.namespace}/pods/{pod}"
    run.connection.request("DELETE", path, query={"gracePeriodSeconds": "0"})


def patch(run: RunningExample, what: str, *operations: Mapping[str, Any]) -> None:
    """A JSON patch by kubectl, as a user does it."""
    run.kubectl("-n", run.namespace, "patch", what, "--type=json", "-p", json.dumps(operations))


def resize(run: RunningExample, what: str, path: str, nodes: int) -> None:
    """Set parallelism and completions of a Job, or of a template of it, in one patch."""
    patch(run, what, *(replace(f"{path}/{field}", nodes) for field in ("parallelism", "completions")))


def ranks_by_pod(run: RunningExample) -> list[tuple[str, str]]:
    """Slot and pod of each rank."""
    return [(slot, member.pod_name) for slot, member in zip(run.rendezvous.status.slots, run.ranked, strict=True)]


def condition(run: RunningExample, kind: str) -> str:
    """Message of a condition that holds; "" otherwise."""
    return next((c.message for c in run.rendezvous.status.conditions if c.type == kind and c.status == "True"), "")


def no_false_alarm(run: RunningExample) -> None:
    """Nobody was told that too few can ever come."""
    events = run.kubectl.json("-n", run.namespace, "get", "events", "--field-selector=reason=Stalled")["items"]
    assert not events, [event["message"] for event in events]
