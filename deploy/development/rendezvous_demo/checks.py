"""What must hold for the demonstration to have worked, each with its measured value and its limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kube_rendezvous.resources import Closed, Rendezvous
from rendezvous_demo.measurements import GrowthMeasured, LossMeasured, told_limit
from rendezvous_demo.recoveries import Recovery, share

ACCURACY = 0.95
BUSY_MACHINE_SHARE = 1 / 10  # of one kill, on whatever machine; `make bench` holds the median of many to 1/15
STEPS_UNDONE = 1


@dataclass(frozen=True)
class Check:
    """One line of the verdict."""

    what: str
    measured: str
    limit: str
    holds: bool


def check_loss(measured: LossMeasured, heartbeat_seconds: int) -> list[Check]:
    """Survivors were told in time, and one lost node moved one rank."""
    limit = told_limit(measured.loss, heartbeat_seconds)
    told = measured.all_told_after
    how = "killed, its Member deleted" if measured.loss.deleted else "killed"
    what = f"{measured.loss.node} (rank {measured.rank}) {how}"
    return [
        Check(
            f"{what}: every survivor told",
            _seconds(told),
            f"≤ {limit:.0f} s" + ("" if measured.loss.deleted else f" (3 × {heartbeat_seconds} s heartbeat + 2 s)"),
            told is not None and told <= limit,
        ),
        Check(
            f"{what}: ranks of survivors that moved",
            _ranks(measured.moved),
            "exactly 1",
            measured.stood_after is not None and len(measured.moved) == 1,
        ),
    ]


def check_growth(node: str, measured: GrowthMeasured) -> Check:
    """The replacement took one rank and moved nobody."""
    return Check(
        f"{node} joined: ranks that moved",
        _ranks(measured.moved),
        "exactly 1, its own",
        measured.round > 0 and measured.moved == (measured.rank,),
    )


def check_masters(after: Rendezvous, workers: int, wrong: Sequence[str]) -> Check:
    """Every worker met at its own round's rank 0, and so did the survivors of rank 0.

    Args:
        after: The Rendezvous in the round after the death of rank 0.
        workers: How many workers trained at that round's store.
        wrong: A sentence for each worker, in any round, that met elsewhere.
    """
    status, store = after.status, after.status.bootstrap_store
    where = f"{store.member} at {store.address}:{store.port}" if store else "nowhere"
    return Check(
        f"MASTER_ADDR:MASTER_PORT after the death of rank 0 (round {status.round})",
        "; ".join(wrong) or f"{where} for {workers} of {status.world_size}",
        "the new rank 0's for all",
        not wrong and store is not None and store.member == status.ranks[0] and workers == status.world_size,
    )


def check_accuracy(accuracy: float | None) -> Check:
    """The training came to a good end in spite of it all."""
    return Check(
        "accuracy on held-out samples",
        "none was written" if accuracy is None else f"{accuracy:.4f}",
        f"≥ {ACCURACY}",
        accuracy is not None and accuracy >= ACCURACY,
    )


def check_exits(what: str, statuses: Mapping[str, int | None]) -> Check:
    """Every node that was not killed ended well.

    Args:
        what: The program that each of them is.
        statuses: Exit status by node, None while it runs.
    """
    text = ", ".join(f"{node}: {'still runs' if status is None else status}" for node, status in statuses.items())
    return Check(f"exit status of {what}", text, "all 0", all(status == 0 for status in statuses.values()))


def check_closed(closed: Closed | None) -> Check:
    """The object says why it closed."""
    return Check(
        "the object says why it closed",
        f"{closed.reason}: {closed.message}" if closed else "it is not closed",
        "a reason",
        closed is not None and bool(closed.reason),
    )


def check_pids(surviving: Recovery) -> Check:
    """The survivors' processes lived through the loss."""
    before, after = (", ".join(map(str, sorted(pids))) for pids in (surviving.pids_before, surviving.pids_after))
    kept = bool(before) and set(surviving.pids_before) == set(surviving.pids_after)
    return Check(
        "survivors' processes after the loss of rank 0",
        after if kept else f"{before or 'none'} before, {after or 'none'} after",
        "the same as before",
        kept,
    )


def check_undone(surviving: Recovery) -> Check:
    """Survivors lost no more than the step in which the loss found them."""
    undone = surviving.steps_undone
    return Check(
        "steps that survivors did again",
        "no step followed" if undone is None else str(undone),
        f"≤ {STEPS_UNDONE}",
        undone is not None and undone <= STEPS_UNDONE,
    )


def check_share(surviving: Recovery, restarting: Recovery) -> Check:
    """To keep processes is worth it, on a busy machine too."""
    measured = share(surviving, restarting)
    return Check(
        "kill → next step, survivors kept : restarted",
        "no step followed" if measured is None else f"1/{1 / measured:.0f}",
        f"≤ 1/{1 / BUSY_MACHINE_SHARE:.0f}",
        measured is not None and measured <= BUSY_MACHINE_SHARE,
    )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"


def _ranks(ranks: Sequence[int]) -> str:
    return f"{len(ranks)}" + (f" (rank {', '.join(map(str, ranks))})" if ranks else "")
