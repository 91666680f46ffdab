"""`close` and `reopen`: write `spec.closed`, wait for the operator's answer, say what happened."""

from collections.abc import Callable

from kube_rendezvous.resources import Rendezvous
from kube_rendezvous_core.policy.closing import BY_PERSON
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.observation import SeenRendezvous
from kubectl_rendezvous.reading import Reader
from kubectl_rendezvous.tables import verdict
from kubectl_rendezvous.wording import count, span


def close(reader: Reader, name: str, reason: str, timeout: float) -> str:
    """Close it for a person.

    Args:
        reason: kept with the object.
        timeout: for the operator's answer, seconds.

    Returns:
        What happened.

    Raises:
        CommandError: it could not be written, or nobody answered.
    """
    before = reader.rendezvous(name).rendezvous
    if before.spec.closed and _closed_by_person(before) and not reason:
        return f"{name} was closed by a person already; nothing was changed."
    reader.set_closed(name, True, reason or None)
    after = _answer(reader, name, _closed_by_person, timeout).rendezvous
    running = (
        f" Round {after.status.round} is the last; its {count(after.status.world_size, 'node')} may end their work."
    )
    return (
        f"{name} is closed: no further round is formed and nobody can join."
        f"{running if after.status.world_size else ''} Open it again: "
        f"`kubectl rendezvous reopen {name} -n {reader.namespace}`"
    )


def reopen(reader: Reader, name: str, timeout: float) -> str:
    """Open it, whoever closed it.

    What a member or the failure policy closed is first closed by a person: only that can a person take back.

    Returns:
        What happened.

    Raises:
        CommandError: it could not be written, or nobody answered.
    """
    before = reader.rendezvous(name).rendezvous
    if not before.spec.closed and before.status.closed is None:
        return f"{name} is open; nothing was changed."
    if not before.spec.closed:
        reader.set_closed(name, True, "reopening")
        _answer(reader, name, _closed_by_person, timeout)
    reader.set_closed(name, False, None)
    after = _answer(reader, name, lambda r: not _closed_by_person(r), timeout)
    if after.rendezvous.status.closed is not None:
        raise CommandError(f"{name} was opened and closed again at once: {after.rendezvous.status.closed.message}")
    return f"{name} is open. {verdict(after)}"


def _closed_by_person(rendezvous: Rendezvous) -> bool:
    closed = rendezvous.status.closed
    return closed is not None and closed.reason == BY_PERSON


def _answer(reader: Reader, name: str, holds: Callable[[Rendezvous], bool], timeout: float) -> SeenRendezvous:
    def answered(rendezvous: Rendezvous) -> bool:
        return rendezvous.status.observed_generation >= rendezvous.generation and holds(rendezvous)

    found = reader.wait_until(name, answered, timeout)
    if found is None:
        now = reader.rendezvous(name)  # says so if it is gone
        raise CommandError(
            f"spec.closed of {name} is {str(now.rendezvous.spec.closed).lower()} now, but no operator has acted on it "
            f"within {span(timeout)}: is one running? `kubectl rendezvous explain {name} -n {reader.namespace}`"
        )
    return found
