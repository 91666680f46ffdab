"""Who may join: the pods of the rendezvous, by their labels; and where its store may be."""

from typing import Any

import pytest

from kube_rendezvous.resources.admission_spec import Admission, AdmittedAddresses, AdmittedPods
from kube_rendezvous_core import Decision, ObservedPod, Surroundings, decide
from unit.core.builders import NOW, crowd, rendezvous, seen, stands

LABELLED = Admission(pods=AdmittedPods.LABELLED)
TRAINERS = Admission(service_accounts=("trainer",))


def around(*names: str, elsewhere: str = "", **fields: Any) -> Surroundings:
    """Pods of these members, labelled for the rendezvous; ``elsewhere``: one that is labelled for another."""
    pods = {f"pod-of-{n}": ObservedPod(f"pod-{n}", f"pod-of-{n}", "Running", **fields) for n in names}
    labels = dict.fromkeys(pods, ("default", "run"))
    if elsewhere:
        labels[f"pod-of-{elsewhere}"] = ("default", "other-run")
    return Surroundings(pods, labels=labels)


def of_pods(names: str, **fields: Any) -> list[Any]:
    return [seen(name, pod_uid=f"pod-of-{name}", pod_name=f"pod-{name}", **fields) for name in names.split()]


def refused(decision: Decision) -> dict[str, str]:
    return {e.member.name: e.why for e in decision.expel_beside if e.reason == "NotAdmitted"}


@pytest.mark.parametrize(
    ("rule", "taken", "sent_away"),
    [
        pytest.param(
            Admission(), {"a", "unlabelled", "outside"}, {"foreign"}, id="all but those of another rendezvous"
        ),
        pytest.param(LABELLED, {"a"}, {"foreign", "unlabelled", "outside"}, id="those only that are labelled for it"),
    ],
)
def test_the_label_of_its_pod_says_whether_a_member_may_join(
    rule: Admission, taken: set[str], sent_away: set[str]
) -> None:
    members = [*of_pods("a foreign unlabelled"), seen("outside")]
    surroundings = around("a", elsewhere="foreign")
    decision = decide(rendezvous(min_nodes=1, max_nodes=9, admission=rule), members, NOW, surroundings=surroundings)
    assert refused(decision).keys() == sent_away
    assert set(decision.status.ranks) <= taken
    if decision.status.forming is not None:
        assert decision.status.forming.arrived == len(taken)
    else:
        assert set(decision.status.ranks) == taken


def test_only_named_service_accounts_may_join() -> None:
    surroundings = Surroundings(
        {**around("a", service_account="trainer").pods, **around("b", service_account="default").pods}
    )
    decision = decide(rendezvous(admission=TRAINERS), of_pods("a b"), NOW, surroundings=surroundings)
    assert refused(decision) == {"b": "service account default of its pod is not among spec.admission's"}


def test_who_is_seen_before_its_pod_is_neither_taken_in_nor_sent_away_for_a_while() -> None:
    early = [seen_for(1.0, "a"), seen_for(1.0, "b")]
    decision = decide(rendezvous(admission=LABELLED), early, NOW, surroundings=around())
    assert (refused(decision), decision.status.forming is not None) == ({}, True)
    assert decision.status.forming is not None
    assert decision.status.forming.arrived == 0
    assert decision.wake_after is not None
    assert decision.wake_after <= 15
    late = decide(rendezvous(admission=LABELLED), [seen_for(16.0, "a")], NOW, surroundings=around())
    assert refused(late) == {"a": "its pod pod-a is not labelled for this rendezvous"}


def seen_for(seconds: float, name: str) -> Any:
    from dataclasses import replace

    return replace(of_pods(name)[0], known_for=seconds)


def test_nobody_is_thrown_out_of_a_standing_round_because_a_label_or_the_spec_was_edited() -> None:
    decision = decide(stands("a b", admission=LABELLED), of_pods("a b"), NOW, surroundings=around(elsewhere="a"))
    assert (refused(decision), decision.status.forming) == ({}, None)


def test_who_may_not_join_neither_closes_nor_changes_anything() -> None:
    before = stands("a b")
    intruder = of_pods("x", close_requested=True, leaving=False, slot="0")
    decision = decide(before, [*of_pods("a b"), *intruder], NOW, surroundings=around("a", "b", elsewhere="x"))
    assert (decision.status.closed, decision.status.forming, decision.status.standby) == (None, None, 0)


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "::", "ff02::1", "255.255.255.255"])
def test_an_address_at_which_no_node_can_be_is_refused_unless_any_is_allowed(address: str) -> None:
    members = [*crowd("a"), seen("x", address=address)]
    assert refused(decide(rendezvous(), members, NOW)).keys() == {"x"}
    anywhere = rendezvous(admission=Admission(addresses=AdmittedAddresses.ANY))
    assert refused(decide(anywhere, members, NOW)) == {}


@pytest.mark.parametrize(
    ("claimed", "known", "rule", "published"),
    [
        pytest.param("10.0.0.7", ("10.0.0.7", "192.0.2.1"), Admission(), "10.0.0.7", id="the pod's own"),
        pytest.param("192.0.2.1", ("10.0.0.7", "192.0.2.1"), Admission(), "192.0.2.1", id="its node's"),
        pytest.param("10.9.9.9", ("10.0.0.7", "192.0.2.1"), Admission(), "10.0.0.7", id="another's"),
        pytest.param("10.9.9.9", (), Admission(), "10.9.9.9", id="not known yet"),
        pytest.param(
            "10.9.9.9",
            ("10.0.0.7",),
            Admission(addresses=AdmittedAddresses.ANY),
            "10.9.9.9",
            id="a second network that the rendezvous allows",
        ),
    ],
)
def test_the_store_is_published_at_an_address_of_rank_0s_pod(
    claimed: str, known: tuple[str, ...], rule: Admission, published: str
) -> None:
    members = [seen("a", pod_uid="pod-of-a", address=claimed)]
    decision = decide(
        rendezvous(min_nodes=1, max_nodes=1, admission=rule),
        members,
        NOW,
        surroundings=around("a", addresses=known),
    )
    assert decision.status.bootstrap_store is not None
    assert decision.status.bootstrap_store.address == published


def test_who_merely_waits_beside_a_round_does_not_close_it() -> None:
    members = [*crowd("a b"), seen("spare", close_requested=True)]
    assert decide(stands("a b"), members, NOW).status.closed is None


@pytest.mark.parametrize("who", ["a", "b"])
def test_a_member_of_the_round_closes_it(who: str) -> None:
    members = [seen(name, close_requested=name == who) for name in "ab"]
    assert decide(stands("a b"), members, NOW).status.closed is not None


def test_before_the_first_round_anybody_who_may_join_may_close() -> None:
    assert decide(rendezvous(), [seen("a", close_requested=True)], NOW).status.closed is not None


def test_who_took_the_name_of_a_ranked_member_closes_nothing() -> None:
    before = stands("a b", status={"incarnations": ("uid-of-a", "uid-of-b")})
    members = [*crowd("a"), seen("b", uid="another", close_requested=True)]
    assert decide(before, members, NOW).status.closed is None
