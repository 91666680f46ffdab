"""Who is lost.

Design section 4: lost = left, superseded by a newer incarnation in the same pod and slot (`places`), silent for three
heartbeat intervals by the operator's own clock, gone altogether, without an answer when it was asked (`suspicion`), or
lost with its pod (`pod_liveness`). One that left in order to prepare for another round has merely stepped aside: it
departs, and its pod is nobody to be waited for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from kube_rendezvous.resources import Member, RefusedMember, Rendezvous
from kube_rendezvous.resources.belonging import belongs_to
from kube_rendezvous_core.liveness.admission import POD_SEEN_WITHIN_SECONDS, admit
from kube_rendezvous_core.liveness.heartbeat import proof_needed, silence_limit, suspicion_limit
from kube_rendezvous_core.liveness.places import Places, settle_places
from kube_rendezvous_core.liveness.pod_liveness import ending_groups, judge_pod
from kube_rendezvous_core.liveness.refusal import REFUSED_NAMED, refusals
from kube_rendezvous_core.liveness.slice_readers import reads_too_little
from kube_rendezvous_core.liveness.suspicion import answer_limit
from kube_rendezvous_core.liveness.undecided import UNDECIDED_SECONDS, may_yet_belong
from kube_rendezvous_core.observed.observation import ObservedMember
from kube_rendezvous_core.observed.surroundings import NOTHING_KNOWN, Surroundings

LEFT = "MemberLeft"
PREPARING = "MemberPreparing"
SUPERSEDED = "MemberSuperseded"
SILENT = "HeartbeatLost"
DELETED = "MemberDeleted"
OTHER_RENDEZVOUS = "OtherRendezvous"
NAME_TAKEN = "NameTaken"

NOBODY_ASKED: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Loss:
    """A lost member.

    Args:
        member: its last version; None if only its name is known.
        gone: its object does not exist any more.
        doubtful: as in `Expulsion`.
    """

    name: str
    reason: str
    message: str
    member: Member | None
    gone: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Liveness:
    """The verdict on every member of one Rendezvous.

    Args:
        alive: by name.
        losses: members of this Rendezvous that are lost, ranked or not.
        departing: members of this Rendezvous that still live but have to go, or have stepped aside: no new round takes
            them, and nobody waits for their pods.
        strangers: Members that name this Rendezvous but belong to another object of that name, or never said to which.
        namesakes: Members under the name of one that has a rank, but of another UID: that one is gone, and nobody may
            take its place by its name.
        not_admitted: those that may not join, each with why (`admission`).
        suspects: of the living, those whose silence must be proven to be theirs.
        next_silence: seconds until the silence of one of the living means something; None: nobody lives.
        refused: members that live but share the place of another that does, or cannot find their rank; the first few.
    """

    alive: Mapping[str, Member]
    losses: tuple[Loss, ...]
    departing: tuple[Loss, ...]
    strangers: tuple[Member, ...]
    suspects: tuple[str, ...]
    namesakes: tuple[Member, ...]
    not_admitted: tuple[tuple[Member, str], ...]
    next_silence: float | None
    refused: tuple[RefusedMember, ...] = ()

    @property
    def present(self) -> Iterable[Member]:
        """The living, departing ones included."""
        yield from self.alive.values()
        yield from (loss.member for loss in self.departing if loss.member is not None)


def judge(
    rendezvous: Rendezvous,
    members: Sequence[ObservedMember],
    interval_seconds: int,
    surroundings: Surroundings = NOTHING_KNOWN,
    unanswered: Mapping[str, float] = NOBODY_ASKED,
) -> Liveness:
    """Tell the living from the lost.

    Args:
        rendezvous: whose members are judged; its `ranks` tell which names must be there.
        members: all observed Members that name it.
        interval_seconds: the heartbeat interval in force.
        surroundings: pods and nodes, as far as they are known.
        unanswered: seconds for which those who were asked have not answered, by name.
    """
    limit = answer_limit(rendezvous.spec.heartbeat_seconds)
    of_this = [m for m in members if belongs_to(m.member, rendezvous)]
    holders = dict(zip(rendezvous.status.ranks, rendezvous.status.incarnations, strict=False))
    own = [m for m in of_this if holders.get(m.member.name, m.member.incarnation) == m.member.incarnation]
    namesakes = tuple(m.member for m in of_this if m not in own and not m.deleted) if len(own) < len(of_this) else ()
    admitted = admit(rendezvous, own, surroundings)
    own = list(admitted.members)
    ending = ending_groups(surroundings)
    verdicts = {m.member.name: judge_pod(m.member, surroundings, ending) for m in own}
    places = settle_places(
        (m for m in own if (v := verdicts[m.member.name]) is None or v.departing),
        frozenset(rendezvous.status.ranks),
        interval_seconds,
    )
    unable = reads_too_little(rendezvous, (m.member for m in own if not m.deleted))
    placeless = {*places.undecided, *places.refused, *(one.member for one in unable)}
    alive: dict[str, Member] = {}
    losses: list[Loss] = []
    departing: list[Loss] = []
    suspects: list[str] = []
    next_silence = places.decided_in
    for observed in own:
        asked = unanswered.get(observed.member.name)
        loss = _loss(observed, places, interval_seconds)
        if loss is None and asked is not None:
            loss = _loss_of_one_asked(observed, asked, limit)
        if loss is not None:
            losses.append(loss)
            continue
        verdict = verdicts[observed.member.name]
        if verdict is not None and not verdict.departing:
            losses.append(Loss(observed.member.name, verdict.reason, verdict.message, observed.member))
            continue
        if verdict is None and observed.member.preparing:
            text = f"{observed.member.name} has stepped aside until its node is ready again"
            departing.append(Loss(observed.member.name, PREPARING, text, observed.member))
        elif observed.member.name in placeless:
            pass  # it lives, but has no place
        elif verdict is None:
            alive[observed.member.name] = observed.member
        else:
            departing.append(Loss(observed.member.name, verdict.reason, verdict.message, observed.member))
        remaining = _patience(observed, interval_seconds)
        if asked is not None:
            remaining = min(remaining, _patience_with_one_asked(observed, asked, limit))
        if remaining <= 0:
            suspects.append(observed.member.name)
        else:
            next_silence = remaining if next_silence is None else min(next_silence, remaining)
    lost = {loss.name for loss in (*losses, *departing)}
    known = alive.keys() | placeless | lost
    losses.extend(
        Loss(name, DELETED, f"{name}: its RendezvousMember object is gone", None, gone=True, doubtful=True)
        for name in rendezvous.status.ranks
        if name not in known
    )
    others = [m for m in members if not m.deleted and not belongs_to(m.member, rendezvous)]
    strangers = tuple(m.member for m in others if not may_yet_belong(m))
    for undecided in filter(may_yet_belong, others):
        left = UNDECIDED_SECONDS - undecided.known_for
        next_silence = left if next_silence is None else min(next_silence, left)
    if admitted.unknown:
        next_silence = POD_SEEN_WITHIN_SECONDS if next_silence is None else min(next_silence, POD_SEEN_WITHIN_SECONDS)
    return Liveness(
        alive,
        tuple(losses),
        tuple(departing),
        strangers,
        tuple(suspects),
        namesakes,
        admitted.refused,
        next_silence,
        (*refusals(places.refused), *(one for one in unable if one.member not in lost))[:REFUSED_NAMED],
    )


def _patience(observed: ObservedMember, interval_seconds: int) -> float:
    """Seconds until a living member's silence means something; 0 or less: time to prove that it is its own."""
    proven = observed.proven_silence
    if proven == 0:
        return suspicion_limit(interval_seconds) - observed.silence
    left = 0.0 if proven is None else proof_needed(interval_seconds) - proven
    return max(left, silence_limit(interval_seconds) - observed.silence)


def _patience_with_one_asked(observed: ObservedMember, asked: float, limit: float) -> float:
    """As `_patience`: the second half of the time counts only after a proof that an answer could have been heard."""
    silence, proven = min(asked, observed.silence), observed.proven_silence
    if proven == 0:
        return limit / 2 - silence
    return max(limit - silence, 0.0 if proven is None else limit / 2 - proven)


def _loss_of_one_asked(observed: ObservedMember, asked: float, limit: float) -> Loss | None:
    silence, proven = min(asked, observed.silence), observed.proven_silence
    if silence < limit or (proven is not None and proven < limit / 2):
        return None
    name = observed.member.name
    text = f"{name} has not answered for {silence:.0f} s when asked (limit {limit:.0f} s): a neighbour does not hear it"
    return Loss(name, SILENT, text, observed.member, doubtful=True)


def _loss(observed: ObservedMember, places: Places, interval_seconds: int) -> Loss | None:
    member = observed.member
    if member.leaving and not member.preparing:
        return Loss(member.name, LEFT, f"{member.name} left", member, gone=observed.deleted)
    if observed.expelled_for:
        return Loss(member.name, observed.expelled_for, observed.expelled_why, member, gone=True)
    if observed.deleted:
        return Loss(member.name, DELETED, f"{member.name}: its RendezvousMember object was deleted", member, gone=True)
    heir = places.heirs.get(member.name)
    if heir is not None:
        text = f"{member.name} was replaced by {heir.name}, which runs in the same pod and slot"
        return Loss(member.name, SUPERSEDED, text, member, doubtful=member.name in places.doubtful)
    limit, proven = silence_limit(interval_seconds), observed.proven_silence
    if observed.silence >= limit and (proven is None or proven >= proof_needed(interval_seconds)):
        text = f"{member.name} has sent no heartbeat for {observed.silence:.0f} s (limit {limit:.0f} s)"
        return Loss(member.name, SILENT, text, member, doubtful=True)
    return None
