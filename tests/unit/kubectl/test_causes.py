"""Each cause is found by what shows it, and by nothing else; each says what to do next."""

from dataclasses import replace

import pytest

from kube_rendezvous.resources import Closed, Condition, Forming, LateJoiners, RefusedMember, Reopen
from kube_rendezvous.resources.failure_policy import FailurePolicy, Quarantine, QuarantinedPlace, RecentLoss
from kube_rendezvous.resources.names import CLIENT_MANAGER
from kube_rendezvous_core import ObservedNode, ObservedOwner, OwnerRef
from kubectl_rendezvous.causes import CAUSES
from kubectl_rendezvous.observation import Hold, Observation
from unit.kubectl.observations import (
    ago,
    findings,
    gathering,
    member,
    members,
    observe,
    pod,
    rendezvous,
    standing,
)


def test_a_round_that_stands_has_no_findings() -> None:
    pods = (pod("p-0"), pod("p-1"))
    own = (member("a", pod="p-0"), member("b", pod="p-1"))
    assert findings(observe(rendezvous(standing("a b"), max_nodes=2), members=own, pods=pods)) == {}


def test_every_cause_is_a_function_that_says_what_it_looks_for() -> None:
    assert all(cause.__doc__ for cause in CAUSES)
    assert len(set(CAUSES)) == len(CAUSES)


def test_a_member_beside_another_one_in_its_place_is_refused() -> None:
    status = replace(standing("a b"), refused=(RefusedMember("c", "c came to pod p with slot 0, where a is already"),))
    finding = findings(observe(rendezvous(status, max_nodes=2), members=members("a b c")))["Refused"]
    assert finding.sentence == "c is refused: c came to pod p with slot 0, where a is already."
    assert "a slot of its own" in finding.next_step


def test_a_rendezvous_that_is_held_while_it_goes_names_the_finalizer() -> None:
    going = rendezvous(standing("a b"), being_deleted=True, finalizers=("example.org/hold",))
    finding = findings(observe(going, members=members("a b")))["BeingDeleted"]
    assert "is being deleted and held by example.org/hold" in finding.sentence


# The operator


def test_no_operator_has_ever_looked() -> None:
    seen = rendezvous(gathering(0, observed_generation=0, forming=None))
    finding = findings(observe(seen, members=members("a")))["OperatorHasNotLooked"]
    assert "since it was created 1h ago" in finding.sentence
    assert "1 member waits in vain" in finding.sentence
    assert "python -m kube_rendezvous_operator" in finding.next_step


def test_a_change_of_the_spec_has_no_answer() -> None:
    finding = findings(observe(rendezvous(standing("a b"), generation=3), members=members("a b")))[
        "OperatorHasNotLooked"
    ]
    assert "The last 2 changes of the spec of run (generation 3) had no answer yet" in finding.sentence


@pytest.mark.parametrize(
    ("observation", "sign"),
    [
        (observe(rendezvous(gathering(1)), members=members("a b")), "2 members wait and send heartbeats (a, b)"),
        (
            observe(rendezvous(standing("a b")), members=members("a b late")),
            "1 member waits and sends heartbeats (late)",
        ),
        (observe(rendezvous(standing("a b")), members=members("a")), "b of round 3 has no RendezvousMember any more"),
        (
            observe(rendezvous(standing("a b")), members=(member("a"), member("b", silence=90))),
            "of round 3 it still counts b (silent for 1m30s)",
        ),
        (
            observe(
                rendezvous(gathering(2, forming=Forming(1, "FirstRound", "", False, ago(99), ago(40), arrived=2))),
                members=members("a b"),
            ),
            "last call for round 1 ended 40s ago and no round was formed",
        ),
    ],
)
def test_an_operator_that_does_not_react_shows_by(observation: Observation, sign: str) -> None:
    finding = findings(observation)["OperatorDoesNotReact"]
    assert "does not seem to run" in finding.sentence
    assert sign in finding.sentence


@pytest.mark.parametrize(
    "observation",
    [
        observe(rendezvous(gathering(1)), members=(member("a"), member("b", created=ago(3)))),
        observe(rendezvous(gathering(1)), members=(member("a"), member("b", silence=40))),
        observe(rendezvous(standing("a b", standby=1)), members=members("a b late")),
        observe(
            rendezvous(gathering(1)),
            members=(member("a"), member("b", pod="p-1")),
            pods=(pod("p-1", leaving="it is being deleted"),),
        ),
    ],
    ids=["just joined", "silent itself", "counted on standby", "has to go"],
)
def test_an_operator_is_not_suspected_for_what_it_need_not_count(observation: Observation) -> None:
    assert "OperatorDoesNotReact" not in findings(observation)


# Pods


@pytest.mark.parametrize(
    ("hold", "why", "cause", "sentence", "step"),
    [
        (
            Hold.UNSCHEDULED,
            "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            "PodsNotScheduled",
            "Pod p-1 cannot be scheduled: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            "Free GPUs, add a GPU node, or start with fewer nodes (spec.minNodes)",
        ),
        (
            Hold.GATED,
            "SchedulingGated: kueue.x-k8s.io/elastic-job",
            "PodsGated",
            "Pod p-1 is held back by a scheduling gate: kueue.x-k8s.io/elastic-job.",
            "get workloads",
        ),
        (Hold.UNSCHEDULED, "1 node had taints", "PodsNotScheduled", "1 node had taints.", "Free what the scheduler"),
        (
            Hold.IMAGE,
            "ImagePullBackOff: no such image",
            "ImageNotPulled",
            "Pod p-1 cannot start for want of the image: ImagePullBackOff: no such image.",
            "`kubectl -n ml describe pod p-1`",
        ),
        (
            Hold.CRASHING,
            "CrashLoopBackOff: back-off 5m",
            "ContainersCrash",
            "Pod p-1 crashes before joining: CrashLoopBackOff (2 restarts).",
            "`kubectl -n ml logs p-1 --previous`",
        ),
        (
            Hold.MISCONFIGURED,
            'CreateContainerConfigError: secret "s3" not found',
            "ContainersNotCreated",
            'Pod p-1 cannot start its container: CreateContainerConfigError: secret "s3" not found.',
            "`kubectl -n ml describe pod p-1`",
        ),
        (Hold.RUNNING, "running", "RunningButNotJoined", "Pod p-1 runs but has not joined.", "--rdzv-id=run"),
        (Hold.STARTING, "starting", "PodsStarting", "Pod p-1 is on its way: starting.", "get pods -w"),
    ],
)
def test_a_pod_that_has_not_joined_is_named_with_what_holds_it(
    hold: Hold, why: str, cause: str, sentence: str, step: str
) -> None:
    held = pod("p-1", hold=hold, why=why, restarts=2)
    own = (member("a", pod="p-0"),)
    found = findings(observe(rendezvous(gathering(1)), members=own, pods=(pod("p-0"), held)))
    assert sentence in found[cause].sentence
    assert step in found[cause].next_step
    assert found[cause].subjects == ("p-1",)


def test_pods_with_the_same_trouble_are_one_finding() -> None:
    pods = tuple(pod(f"p-{n}", hold=Hold.UNSCHEDULED, why="no room") for n in range(7))
    [finding] = [f for f in findings(observe(rendezvous(gathering(0)), pods=pods)).values() if f.subjects]
    assert finding.sentence == "7 pods cannot be scheduled (p-0, p-1, p-2, p-3, p-4 and 2 more): no room."


@pytest.mark.parametrize("fields", [{"hold": Hold.ENDED}, {"leaving": "it is being deleted"}])
def test_pods_that_will_not_join_any_more_are_not_waited_for(fields: dict[str, object]) -> None:
    observation = observe(rendezvous(gathering(0)), pods=(pod("p-0", **fields),))
    assert observation.pods_to_join == ()


# Names


def test_a_mistyped_label() -> None:
    finding = findings(observe(rendezvous(name="my-run"), pods=(pod("p-1", "my-rnu"),)))["NameMistypedInLabel"]
    assert finding.sentence == (
        "Pod p-1 is labelled rendezvous.dev/name=my-rnu, a name that no Rendezvous here has: "
        "the label looks like a mistyped my-run."
    )
    assert "`kubectl -n ml label pod p-1 --overwrite rendezvous.dev/name=my-run`" in finding.next_step


def test_a_label_that_contradicts_the_run_id_is_mistyped_however_different() -> None:
    found = findings(observe(rendezvous(), pods=(pod("p-1", "quite-another", run_ids=("run",)),)))
    assert "although it passes --rdzv-id=run" in found["NameMistypedInLabel"].sentence


def test_a_mistyped_run_id_of_a_pod_without_label() -> None:
    found = findings(observe(rendezvous(name="my-run"), pods=(pod("p-1", "", run_ids=("my-runs",)),)))
    assert "Pod p-1 passes --rdzv-id=my-runs" in found["NameMistypedInRunId"].sentence
    assert "Write --rdzv-id=my-run" in found["NameMistypedInRunId"].next_step


def test_a_pod_of_another_run_is_no_mistake() -> None:
    other = rendezvous(standing("x y"), name="my-rum")
    pods = (pod("p-1", "my-rum", run_ids=("my-rum",)), pod("p-2", "eval"), pod("p-3", "my-rnu", hold=Hold.ENDED))
    found = findings(observe(rendezvous(gathering(0), name="my-run"), others=(other,), pods=pods))
    assert not {"NameMistypedInLabel", "NameMistypedInRunId", "JoinedAnotherRendezvous"} & found.keys()


def test_a_node_that_is_alone_in_a_rendezvous_that_a_client_made_is_astray() -> None:
    stray = rendezvous(standing("x", number=1), name="my-rum", managed_by=CLIENT_MANAGER)
    joined = member("x", pod="p-9", rendezvous="my-rum")
    found = findings(observe(rendezvous(name="my-run"), others=(stray,), other_members=(joined,)))
    assert "Pod p-9 has joined my-rum as x" in found["JoinedAnotherRendezvous"].sentence
    assert "`kubectl -n ml delete rdzv my-rum`" in found["JoinedAnotherRendezvous"].next_step


# Closed


def test_closed_by_a_person_with_a_reason() -> None:
    closed = Closed("spec.closed", ago(90), "ClosedBySpec", "spec.closed is true")
    seen = replace(rendezvous(standing("a b", closed=closed), closed=True), close_note="disk full")
    finding = findings(observe(seen, members=members("a b")))["ClosedByPerson"]
    assert finding.sentence.startswith("A person closed run 1m30s ago (spec.closed is true), saying: disk full.")
    assert finding.next_step == "Open it: `kubectl rendezvous reopen run -n ml`"


@pytest.mark.parametrize(
    ("closed", "spec", "sentence"),
    [
        ({"reopens_on_join": True}, {}, "All its members are gone."),
        ({}, {"reopen": Reopen.NEVER}, "It stays closed (spec.reopen is Never)."),
        (
            {},
            {},
            "It opens again by itself when every member is gone and a new one joins (2 members still there: a, b).",
        ),
    ],
)
def test_closed_by_a_member(closed: dict[str, bool], spec: dict[str, Reopen], sentence: str) -> None:
    by_member = Closed("a", ago(5), "ClosedByMember", "closed by a: the workers succeeded", **closed)
    finding = findings(observe(rendezvous(standing("a b", closed=by_member), **spec), members=members("a b")))[
        "ClosedByMember"
    ]
    assert "closed by a: the workers succeeded." in finding.sentence
    assert sentence in finding.sentence
    assert "kubectl rendezvous reopen run -n ml" in finding.next_step


def test_closed_by_the_failure_policy() -> None:
    gave_up = Closed("spec.failurePolicy", ago(5), "ClosedByFailurePolicy", "9 rounds were formed, maxRounds is 9")
    finding = findings(observe(rendezvous(standing("a b", closed=gave_up)), members=members("a b")))[
        "ClosedByFailurePolicy"
    ]
    assert "9 rounds were formed" in finding.sentence
    assert "history run" in finding.next_step


# Places, members


def test_a_quarantined_node_is_lifted_without_forgetting_the_others() -> None:
    place = QuarantinedPlace("node/gpu-7", ago(60), "")
    loss = RecentLoss("node/gpu-7", "old-x", "ContainerEnded", ago(60))
    policy = FailurePolicy(quarantine=Quarantine(3, 600))
    seen = rendezvous(gathering(0, quarantined=(place,), recent_losses=(loss,)), failure_policy=policy)
    seen = replace(seen, rendezvous=replace(seen.rendezvous, trusted_places=frozenset({"slot/2"})))
    found = findings(observe(seen, members=(member("a", node_name="gpu-7"),)))
    finding = found["Quarantined"]
    assert finding.sentence == (
        "The node gpu-7 is quarantined since 1m: it lost 3 members or more within 10m "
        "(last: old-x (ContainerEnded)). a waits there in vain."
    )
    assert finding.next_step.endswith("--overwrite rendezvous.dev/trusted-places=node/gpu-7,slot/2`")
    assert "OperatorDoesNotReact" not in found


def test_a_node_that_is_drained_and_one_that_is_cordoned_only() -> None:
    nodes = {"n1": ObservedNode("n1", draining="karpenter.sh/disrupted"), "n2": ObservedNode("n2", draining="cordoned")}
    own = (member("a", pod="p-0", node_name="n1"), member("b", pod="p-1", node_name="n2"))
    observation = observe(rendezvous(standing("a b")), members=own, nodes=nodes)
    sentences = [f.sentence for f in (finding for cause in CAUSES for finding in cause(observation))]
    assert "Node n1 has to be left (karpenter.sh/disrupted): its pods must go (p-0)." in sentences
    assert any(text.startswith("Node n2 is cordoned") for text in sentences)


def test_members_that_were_told_and_have_not_come_back() -> None:
    forming = Forming(4, "PodDeleted", "c: its pod p-2 was deleted", True, ago(20), arrived=1, required=2)
    own = (member("a", after_round=3), member("b", pod="p-1", after_round=0))
    finding = findings(observe(rendezvous(standing("a b c", forming=forming)), members=own))["NotJoinedAgain"]
    assert finding.sentence.startswith("b was told 20s ago to join round 4 and has not done so yet")
    assert "`kubectl -n ml logs p-1 --tail=50`" in finding.next_step


def test_fewer_nodes_than_a_round_needs() -> None:
    own = (member("a", pod="p-0"),)
    found = findings(
        observe(rendezvous(gathering(1, required=4), min_nodes=3, node_unit=2), members=own, pods=(pod("p-0"),))
    )
    assert "Only 1 node can take part (1 pod labelled rendezvous.dev/name=run) and 4 are required." in (
        found["TooFewNodes"].sentence
    )
    assert "Start 3 more" in found["TooFewNodes"].next_step


def test_pods_that_their_owner_is_about_to_make_again_are_no_want_of_nodes() -> None:
    job = OwnerRef("Job", "trainer")
    seen = observe(
        rendezvous(gathering(1, required=2)),
        members=(member("a", pod="p-0"),),
        pods=(pod("p-0", owner=job), pod("p-1", owner=job, leaving="it is being deleted")),
        owners=(ObservedOwner(job, 2, 2, "parallelism 2"),),
    )
    assert seen.pods_to_be_made == 1
    assert "TooFewNodes" not in findings(seen)
    too_small = replace(seen, owners=(ObservedOwner(job, 1, 1, "parallelism 1"),))
    assert "TooFewNodes" in findings(too_small)


@pytest.mark.parametrize(
    "kind",
    [
        "DevicesUnhealthy",
        "EvictionsRequested",
        "GangMismatch",
        "PodGroupHeldUp",
        "SizeMismatch",
        "SlotsShared",
        "TopologyFromPodGroup",
        "TopologyUnknown",
    ],
)
def test_a_mistake_that_the_operator_names_in_a_condition_is_repeated(kind: str) -> None:
    def conditions(value: str) -> tuple[Condition, ...]:
        return (Condition(kind, value, "Reason", "What is wrong, and what to do.", ago(5)),)

    found = findings(observe(rendezvous(standing("a b", conditions=conditions("True"))), members=members("a b")))
    assert found[kind].sentence == "What is wrong, and what to do."
    assert not findings(observe(rendezvous(standing("a b", conditions=conditions("False"))), members=members("a b")))


def test_nobody_is_there_at_all() -> None:
    found = findings(observe(rendezvous(gathering(0))))
    assert "No pod is labelled rendezvous.dev/name=run and no node has joined" in found["TooFewNodes"].sentence


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"max_nodes": 2}, "the world is full (maxNodes is 2)"),
        ({"late_joiners": LateJoiners.WAIT}, "lateJoiners is Wait: it is taken in at the next round"),
        ({"node_unit": 2}, "the world grows in steps of nodeUnit 2"),
    ],
)
def test_spares_know_why_they_have_no_rank(spec: dict[str, object], why: str) -> None:
    observation = observe(rendezvous(standing("a b", standby=1), **spec), members=members("a b late"))
    finding = findings(observation)["Surplus"]
    assert why in finding.sentence
    assert finding.harmless


def test_one_that_stands_aside_for_its_unhealthy_device_knows_why() -> None:
    own = (*members("a b"), replace(member("late"), pod_uid="uid-of-p-2"))
    pods = (pod("p-2", unhealthy_devices="nvidia.com/gpu GPU-1"),)
    finding = findings(observe(rendezvous(standing("a b"), max_nodes=2), members=own, pods=pods))["Surplus"]
    assert "a device of its pod is unhealthy (nvidia.com/gpu GPU-1)" in finding.sentence


def test_members_of_an_earlier_rendezvous_of_the_name() -> None:
    own = (*members("a b"), member("ghost", rendezvous_uid="another"))
    found = findings(observe(rendezvous(standing("a b")), members=own))
    assert found["MembersOfAnEarlierRendezvous"].subjects == ("ghost",)


def test_silent_members() -> None:
    own = (member("a"), member("b", silence=12))
    found = findings(observe(rendezvous(standing("a b")), members=own))
    assert (
        found["HeartbeatsMissing"].sentence == "No recent heartbeat from b (12s); at 15s of silence a member is lost."
    )
