"""Who is asked whether it lives, because a neighbour hears nothing of it.

Where many members make the heartbeat interval long, three intervals of silence are minutes. There members watch each
other (`resources.neighbours`), say in their own Member whom they do not hear, and the operator asks those through the
status: whoever is asked renews at once. A suspicion costs nobody its place, only silence to the question does, while
the API server is proven to serve: a cut between members that still reach the API server makes questions and no loss.

Compared with it: an agent on each kube node needs a DaemonSet and sees pods, not what hangs in them; delegates that
write for a group must be believed when they say that somebody lives. Here nobody is believed: a liar can make
questions, about its two neighbours only, and a number of them that is bounded for all liars together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kube_rendezvous.resources import Member, Question, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.neighbours import watched_by
from kube_rendezvous.resources.rendezvous_slice import circles
from kube_rendezvous_core.observed.observation import ObservedMember

MOST_QUESTIONS = 8
"""That may stand in a status: each is a write that goes to every member."""

LET_ALONE_SECONDS = 60.0
"""For which a question stands: meanwhile its suspect is not asked again, and if it answered, its author not heeded."""

_ANSWER_SECONDS = 12.0
_PATIENCE = 2  # times the interval that the spec wishes


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked now.

    Args:
        standing: for the status; those before, if there is nothing to ask.
        more_in: seconds until those who are asked only now should have answered, or a suspicion that was not heeded may
            be; None: neither.
    """

    standing: tuple[Question, ...]
    more_in: float | None = None


def answer_limit(wished_seconds: int) -> float:
    """Seconds within which a member must answer; half of them must go by after a proof that the API server serves.

    Args:
        wished_seconds: `spec.heartbeatSeconds`: whoever wishes for patience gets it here, too.
    """
    return max(_ANSWER_SECONDS, float(_PATIENCE * wished_seconds))


def unanswered(status: RendezvousStatus, members: Iterable[ObservedMember], now: datetime) -> dict[str, float]:
    """Seconds for which each member that was asked has not answered. An answer is another heartbeat than the last."""
    questions = {question.member: question for question in status.questions}
    if not questions:
        return {}
    return {
        seen.member.name: (now - question.at).total_seconds()
        for seen in members
        if (question := questions.get(seen.member.name)) is not None and not _answered(question, seen.member)
    }


def settle_questions(
    rendezvous: Rendezvous, alive: Mapping[str, Member], interval_seconds: int, now: datetime
) -> Questions:
    """Decide whom to ask.

    Args:
        rendezvous: with the questions that stand.
        alive: the living members, by name.
        interval_seconds: the heartbeat interval in force: at the wished one nobody is asked.
        now: wall clock, UTC.
    """
    status = rendezvous.status
    suspicions = [member for member in alive.values() if member.suspects]
    if not suspicions or interval_seconds <= rendezvous.spec.heartbeat_seconds:
        return Questions(status.questions)
    standing = [q for q in status.questions if _stands(q, alive.get(q.member), now)]
    asked = {question.member for question in standing}
    refuted = {q.by for q in standing if q.member in alive and _answered(q, alive[q.member])}
    news: list[Question] = []
    unheeded = False
    for author, suspect in _pairs(suspicions, status, alive):
        if suspect.name in asked:
            continue
        if author.name in refuted or len(standing) + len(news) >= MOST_QUESTIONS:
            unheeded = True
            continue
        asked.add(suspect.name)
        news.append(Question(suspect.name, author.name, now, suspect.renew_time))
    again = unheeded or any(suspect.name in asked for _, suspect in _pairs(suspicions, status, alive))
    ends = [LET_ALONE_SECONDS - (now - question.at).total_seconds() for question in (*standing, *news)]
    moments = [max(1.0, min(ends))] if again and ends else []
    if news:
        moments.append(answer_limit(rendezvous.spec.heartbeat_seconds) / 2)
    more_in = min(moments, default=None)
    return Questions((*standing, *news) if news else status.questions, more_in)


def _pairs(
    suspicions: Sequence[Member], status: RendezvousStatus, alive: Mapping[str, Member]
) -> Iterable[tuple[Member, Member]]:
    """Who suspects whom, of neighbours alone. Only whoever can be watched knows how to answer: older clients do not."""
    authors = {member.name for member in suspicions}
    for circle in circles(status):
        for place, name in enumerate(circle):
            if name not in authors:
                continue
            for neighbour in watched_by(place, len(circle)):
                suspect = alive.get(circle[neighbour])
                if suspect is not None and suspect.watch_port and suspect.name in alive[name].suspects:
                    yield alive[name], suspect


def _stands(question: Question, suspect: Member | None, now: datetime) -> bool:
    waits = suspect is not None and not _answered(question, suspect)
    return waits or abs((now - question.at).total_seconds()) < LET_ALONE_SECONDS


def _answered(question: Question, member: Member) -> bool:
    return member.renew_time != question.renewed
