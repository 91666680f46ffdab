"""What is read from pods, and how it is put into words, tables and lines."""

from dataclasses import replace
from typing import Any

import pytest

from kube_rendezvous.printable_text import printable
from kube_rendezvous.resources import Forming, PastRound, Ranking
from kube_rendezvous_core import ObservedNode
from kubectl_rendezvous.arguments import build_parser
from kubectl_rendezvous.causes import find_causes
from kubectl_rendezvous.changes import changed_lines
from kubectl_rendezvous.near_names import looks_like
from kubectl_rendezvous.observation import Hold
from kubectl_rendezvous.pod_reading import read_node, read_pod
from kubectl_rendezvous.story import tell
from kubectl_rendezvous.tables import Table, aligned, list_table, rank_table
from kubectl_rendezvous.timeline import seconds_lost, summary
from kubectl_rendezvous.wording import span
from unit.kubectl.observations import NOW, ago, gathering, member, members, observe, pod, rendezvous, standing


@pytest.mark.parametrize(
    ("written", "meant", "alike"),
    [
        ("my-rnu", "my-run", True),
        ("my-ru", "my-run", True),
        ("my_run", "my-run", True),
        ("My-Run", "my-run", True),
        ("rum", "run", True),
        ("my-run", "my-run", False),
        ("run-1", "run-2", False),
        ("eval", "my-run", False),
        ("", "run", False),
    ],
)
def test_a_name_looks_like_another_if_few_letters_differ_and_not_its_number(
    written: str, meant: str, alike: bool
) -> None:
    assert looks_like(written, meant) is alike


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "0.2s"), (4, "4s"), (303, "5m3s"), (7200, "2h"), (7801, "2h10m"), (3 * 86400, "3d"), (-5, "0s")],
)
def test_a_span_of_time_has_two_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_what_would_steer_a_terminal_is_not_printed() -> None:
    assert printable("a\x1b[31mb\x07\u202ec\n\td") == "a�[31mb��c��d"


def kube_pod(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "p-0", "uid": "u", "labels": {"rendezvous.dev/name": "run"}}
    return {"metadata": metadata, "spec": {"containers": [{"name": "trainer"}], **spec}, "status": status}


@pytest.mark.parametrize(
    ("status", "hold", "why"),
    [
        ({"phase": "Pending"}, Hold.STARTING, "not scheduled yet"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "no GPU"}]},
            Hold.UNSCHEDULED,
            "no GPU",
        ),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
            Hold.STARTING,
            "not scheduled yet",
        ),
        ({"conditions": [{"type": "PodScheduled", "status": "True"}]}, Hold.STARTING, "starting"),
        (
            {
                "initContainerStatuses": [
                    {"name": "i", "state": {"waiting": {"reason": "ErrImagePull", "message": "x"}}}
                ]
            },
            Hold.IMAGE,
            "ErrImagePull: x",
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [{"name": "trainer", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
            },
            Hold.CRASHING,
            "CrashLoopBackOff",
        ),
        (
            {
                "containerStatuses": [
                    {"name": "trainer", "state": {"waiting": {"reason": "CreateContainerConfigError"}}}
                ]
            },
            Hold.MISCONFIGURED,
            "CreateContainerConfigError",
        ),
        ({"phase": "Running"}, Hold.RUNNING, "running"),
        (
            {
                "phase": "Running",
                "conditions": [{"type": "AllContainersRestarting", "status": "True", "message": "exit code 42"}],
                "containerStatuses": [{"name": "trainer", "state": {"running": {}}}],
            },
            Hold.WITHOUT_PROCESS,
            "all its containers are being restarted in place (exit code 42)",
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "trainer", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
                ],
            },
            Hold.WITHOUT_PROCESS,
            "its container ended (exit code 137, OOMKilled)",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, Hold.ENDED, "Evicted: disk"),
    ],
)
def test_what_holds_a_pod_is_read_from_its_status(status: dict[str, Any], hold: Hold, why: str) -> None:
    read = read_pod(kube_pod(status))
    assert (read.hold, read.why) == (hold, why)


def test_a_gated_pod_is_held_by_its_gates() -> None:
    read = read_pod(kube_pod({"phase": "Pending"}, schedulingGates=[{"name": "kueue.x-k8s.io/admission"}]))
    assert (read.hold, read.why) == (Hold.GATED, "SchedulingGated: kueue.x-k8s.io/admission")


@pytest.mark.parametrize(
    ("container", "run_ids"),
    [
        ({"args": ["torchrun", "--rdzv-id=one"]}, ("one",)),
        ({"command": ["torchrun", "--rdzv_id", "one"]}, ("one",)),
        ({"args": ["sh", "-c", "exec torchrun --rdzv-id 'one' train.py"]}, ("one",)),
        ({"env": [{"name": "PET_RDZV_ID", "value": "one"}]}, ("one",)),
        ({"args": ["accelerate", "--rdzv_conf", "join_timeout=60,name=one"]}, ("one",)),
        ({"args": ["--rdzv-id=other", "--rdzv-conf=name=one,namespace=team-a"]}, ("one",)),
        ({"env": [{"name": "PET_RDZV_CONF", "value": "name=one"}]}, ("one",)),
        ({"args": ["--rdzv-id=one", "--rdzv-conf=create=never"]}, ("one",)),
        ({"args": ["--rdzv-id=$(NAME)"]}, ()),
        ({}, ()),
    ],
)
def test_the_run_id_is_read_from_what_a_container_starts(container: dict[str, Any], run_ids: tuple[str, ...]) -> None:
    assert read_pod(kube_pod({}, containers=[{"name": "trainer", **container}])).run_ids == run_ids


def test_a_node_that_is_to_be_left_is_read_from_its_taints() -> None:
    def node(**spec: Any) -> ObservedNode:
        return read_node({"metadata": {"name": "n", "labels": {"zone": "a"}}, "spec": spec})

    assert node(taints=[{"key": "nvidia.com/gpu"}]).draining == ""
    assert node(taints=[{"key": "karpenter.sh/disrupted"}], unschedulable=True).draining == "karpenter.sh/disrupted"
    assert node(unschedulable=True).draining == "cordoned"


def test_columns_are_aligned_without_trailing_blanks() -> None:
    table = Table(("A", "LONG", ""), (("wide cell", "x", ""), ("y", "z", "mark")))
    assert aligned(table) == ["A           LONG", "wide cell   x", "y           z      mark"]


def test_the_list_says_which_rendezvous_nobody_has_looked_at() -> None:
    unseen = rendezvous(gathering(0, observed_generation=0, forming=None))
    [row] = list_table([unseen], NOW, wide=True, namespaces=True).rows
    assert row == ("ml", "run", "Unobserved", "0", "0", "2", "4", "0", "-", "1h", "No operator has looked at it yet.")


def test_the_rank_table_shows_the_domains_of_the_topology() -> None:
    seen = rendezvous(standing("a b"), ranking=Ranking(("topology.kubernetes.io/zone",)))
    nodes = {"n1": ObservedNode("n1", {"topology.kubernetes.io/zone": "west"})}
    table = rank_table(observe(seen, members=(member("a", pod="p-0", node_name="n1"),), nodes=nodes))
    assert table.titles == ("RANK", "MEMBER", "POD", "NODE", "ZONE", "HEARTBEAT")
    assert table.rows[0] == ("0", "a", "p-0", "n1", "west", "1s ago")
    assert table.rows[1] == ("1", "b", "-", "-", "-", "member is gone")


def past(number: int, reason: str, seconds: float) -> PastRound:
    return PastRound(number, reason, "m", 2, ("b",), 1, ("c",), 1, 1, ago(100 - number), seconds)


def test_waiting_for_the_first_round_is_not_time_lost() -> None:
    assert seconds_lost(past(1, "FirstRound", 50)) == 0
    assert summary([past(1, "FirstRound", 50)]) == "No time was lost to changes of membership."
    assert summary([past(4, "PodDeleted", 2), past(3, "HeartbeatLost", 20)]) == (
        "2 changes of membership took 22s together, the longest 20s (round 3, HeartbeatLost). "
        "Rounds before 3 are not kept."
    )


def test_the_story_begins_with_what_happens_now_and_what_is_missing() -> None:
    held = pod("p-1", hold=Hold.UNSCHEDULED, why="0/1 nodes are available: Insufficient nvidia.com/gpu")
    observation = observe(rendezvous(gathering(1)), members=(member("a", pod="p-0"),), pods=(pod("p-0"), held))
    now, holds, others = tell(observation, find_causes(observation))
    assert now.title == "ml/run: Waiting, no round yet (asks for 2 to 4 nodes)"
    assert "Missing: 1 node. No time limit runs before 2 are here." in now.lines
    assert holds.lines[0].startswith("1. Pod p-1 cannot be scheduled")
    assert holds.lines[1].startswith("   → ")
    assert others.lines[1].split()[:3] == ["a", "p-0", "it"]


def test_changes_are_told_once() -> None:
    before = observe(rendezvous(standing("a b")), members=members("a b"))
    assert list(changed_lines(before, before)) == []
    forming = Forming(4, "PodDeleted", "b: its pod p-1 was deleted", True, NOW, arrived=0, required=2)
    after = observe(rendezvous(standing("a b", forming=forming)), members=members("a c"))
    assert list(changed_lines(before, after)) == [
        "Round 4 is being formed (PodDeleted; its members are told to join again): b: its pod p-1 was deleted.",
        "Round 4: 0 of 2 required nodes are here.",
        "c joined.",
        "b is gone.",
    ]
    round_4 = standing("a c", number=4, history=(past(4, "PodDeleted", 2),))
    stands = replace(after, seen=rendezvous(round_4))
    assert list(changed_lines(after, stands)) == [
        "Round 4 stands with 2 nodes, rank 0 is a (PodDeleted). Came: b; went: c; 1 rank with another holder."
    ]


@pytest.mark.parametrize("where", [["-n", "ml", "explain", "run"], ["explain", "run", "-n", "ml"]])
def test_the_namespace_may_stand_before_or_after_the_command(where: list[str]) -> None:
    assert build_parser().parse_args(where).namespace == "ml"


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["explain"],
        ["lst"],
        ["list", "-o", "xml"],
        ["plan", "run", "--add", "-1"],
        ["history", "run", "--plot", "rounds.pdf"],
        ["close", "run", "--timeout", "0"],
    ],
)
def test_wrong_usage_ends_with_status_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(wrong)
    assert ended.value.code == 2
    assert "usage: kubectl rendezvous" in capsys.readouterr().err


def test_many_who_come_or_go_at_once_are_told_in_one_line() -> None:
    nobody = observe(rendezvous(gathering(0)))
    many = observe(rendezvous(gathering(0)), members=members(" ".join(f"m{number}" for number in range(10, 30))))
    assert list(changed_lines(nobody, many)) == ["20 members joined: m10, m11, m12, m13, m14 and 15 more."]
    assert list(changed_lines(many, nobody)) == ["20 members are gone: m10, m11, m12, m13, m14 and 15 more."]
