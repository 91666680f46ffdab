"""`explain`: the whole story of one Rendezvous, in sentences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kube_rendezvous.resources import PastRound
from kube_rendezvous_core.formation.formation import WorldSizes
from kubectl_rendezvous.causes import Finding
from kubectl_rendezvous.causes.membership import why_not_in
from kubectl_rendezvous.observation import Hold, Observation
from kubectl_rendezvous.tables import Table, aligned, rank_table, state_of, verdict
from kubectl_rendezvous.wording import age, as_sentence, count, listed, span

_SPARES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the lines below it. ``verbatim``: columns that must not be wrapped."""

    title: str
    lines: tuple[str, ...]
    verbatim: bool = False


def tell(observation: Observation, findings: Sequence[Finding]) -> tuple[Section, ...]:
    """The story, the most urgent first.

    Args:
        findings: as `find_causes` answers them.
    """
    problems = [finding for finding in findings if not finding.harmless]
    harmless = [finding for finding in findings if finding.harmless]
    sections = [
        Section(_headline(observation), tuple(_now(observation, problems))),
        Section("What holds it up, and the next step", tuple(_numbered(problems))),
        Section("Good to know", tuple(_numbered(harmless))),
        Section("Why the last round was formed", tuple(_last_round(observation))),
        *_who_is_in(observation),
        *_who_is_not(observation),
        Section("What could not be read", observation.notes),
    ]
    return tuple(section for section in sections if section.lines)


def story_document(observation: Observation, findings: Sequence[Finding]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "namespace": observation.rendezvous.namespace,
        "name": observation.name,
        "state": state_of(observation.seen),
        "round": observation.rendezvous.status.round,
        "verdict": verdict(observation.seen),
        "findings": [
            {
                "cause": finding.cause,
                "problem": not finding.harmless,
                "sentence": finding.sentence,
                "nextStep": finding.next_step,
                "subjects": list(finding.subjects),
            }
            for finding in findings
        ],
        "notes": list(observation.notes),
    }


def _headline(observation: Observation) -> str:
    rendezvous = observation.rendezvous
    spec, status = rendezvous.spec, rendezvous.status
    nodes = str(spec.min_nodes) if spec.min_nodes == spec.max_nodes else f"{spec.min_nodes} to {spec.max_nodes}"
    rounds = f"round {status.round} with {count(status.world_size, 'node')}" if status.round else "no round yet"
    return f"{rendezvous.namespace}/{rendezvous.name}: {state_of(observation.seen)}, {rounds} (asks for {nodes} nodes)"


def _now(observation: Observation, problems: Sequence[Finding]) -> Iterable[str]:
    status, now = observation.rendezvous.status, observation.now
    yield verdict(observation.seen)
    forming = status.forming
    if forming is not None and status.closed is None:
        lasting = age((now - forming.since).total_seconds())
        stops = "its members were told to stop and join again" if forming.interrupts else "nobody is disturbed by it"
        if status.round:
            yield f"The forming of round {forming.round} has lasted {lasting}; {stops}."
        else:
            yield f"The forming of round {forming.round} has lasted {lasting}."
        if forming.deadline is not None and forming.deadline > now:
            left = span((forming.deadline - now).total_seconds())
            yield f"In {left}, when last call ends, the round is formed with the nodes that are here then."
        elif forming.arrived < forming.required:
            missing = count(forming.required - forming.arrived, "node")
            yield f"Missing: {missing}. No time limit runs before {forming.required} are here."
        if forming.waiting_for and forming.deadline is not None:  # without one the verdict names them
            yield f"The operator waits for: {listed(forming.waiting_for, 10)}."
    if not problems:
        yield "Nothing holds it up."


def _numbered(findings: Sequence[Finding]) -> Iterable[str]:
    for number, finding in enumerate(findings, start=1):
        yield f"{number}. {finding.sentence}"
        yield f"   → {as_sentence(finding.next_step)}"


def _last_round(observation: Observation) -> Iterable[str]:
    history = observation.rendezvous.status.history
    if not history:
        return
    newest = history[0]
    ago = age((observation.now - newest.formed_at).total_seconds())
    yield (
        f"Round {newest.round} was formed {ago} ago with {count(newest.world_size, 'node')}, because of "
        f"{newest.reason}: {as_sentence(newest.message)} It took {span(newest.forming_seconds)}."
    )
    yield as_sentence(came_and_went(newest))


def came_and_went(past: PastRound) -> str:
    """Who came and who went with a round, and how many ranks have another holder."""
    parts = []
    if past.joined_count:
        parts.append(f"came: {_names(past.joined, past.joined_count)}")
    if past.left_count:
        parts.append(f"went: {_names(past.left, past.left_count)}")
    if past.left_count or past.joined_count < past.world_size:
        parts.append(f"{count(past.moved_ranks, 'rank')} with another holder")
    text = "; ".join(parts)
    return text[0].upper() + text[1:]


def _names(names: Sequence[str], number: int) -> str:
    more = f" and {number - len(names)} more" if number > len(names) else ""
    return ", ".join(names) + more


def _who_is_in(observation: Observation) -> Iterable[Section]:
    status = observation.rendezvous.status
    if status.ranks:
        title = f"Who is in (round {status.round}, {count(status.world_size, 'node')})"
        yield Section(title, tuple(aligned(rank_table(observation))), verbatim=True)


def _who_is_not(observation: Observation) -> Iterable[Section]:
    rows = [(m.name, m.pod_name or "-", why_not_in(observation, m)) for m in observation.spares[:_SPARES_SHOWN]]
    rows += [("-", p.name, f"has not joined: {p.why}") for p in observation.pods_to_join]
    rows += [("-", pod.name, f"has ended: {pod.why}") for pod in observation.labelled_pods if pod.hold is Hold.ENDED]
    if rows:
        full = WorldSizes.of(observation.rendezvous.spec).full
        more = len(observation.spares) - _SPARES_SHOWN
        lines = aligned(Table(("MEMBER", "POD", "WHY"), tuple(rows)))
        if more > 0:
            lines.append(f"and {count(more, 'member')} more on standby; the largest world is {full}")
        yield Section("Who is not, and why", tuple(lines), verbatim=True)
