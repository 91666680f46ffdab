"""What a session sees of its Rendezvous is read once for each version of it."""

from typing import Any

from kube_rendezvous.membership.sight import Sight
from kube_rendezvous.signal_proof import Changes


def sight_and_looks() -> tuple[Sight, list[str]]:
    looks: list[str] = []
    sight = Sight("r", Changes(), lambda: looks.append("seen"), lambda: looks.append("trouble"))
    return sight, looks


def rendezvous(version: str, uid: str = "u", round: int = 0) -> dict[str, Any]:
    meta = {"namespace": "default", "name": "run", "uid": uid, "resourceVersion": version}
    return {"kind": "Rendezvous", "metadata": meta, "spec": {"minNodes": 1}, "status": {"round": round}}


def test_what_came_as_a_change_and_again_with_all_there_is_is_read_once() -> None:
    sight, looks = sight_and_looks()
    sight.changed(rendezvous("7"))
    known = sight.rendezvous
    sight.relisted([rendezvous("7")])
    assert sight.rendezvous is known
    assert looks == ["seen", "seen"]


def test_another_version_is_read() -> None:
    sight, _ = sight_and_looks()
    sight.changed(rendezvous("7"))
    sight.changed(rendezvous("8", round=1))
    assert sight.rendezvous is not None
    assert sight.rendezvous.status.round == 1


def test_another_rendezvous_of_the_same_version_is_read() -> None:
    """After etcd was restored from a backup, say."""
    sight, _ = sight_and_looks()
    sight.changed(rendezvous("7"))
    sight.relisted([rendezvous("7", uid="other", round=1)])
    assert sight.rendezvous is not None
    assert sight.rendezvous.uid == "other"


def test_a_list_is_the_newest_although_its_version_is_lower() -> None:
    """After etcd was restored from a backup, whose next versions may be higher while that of the object is not."""
    sight, _ = sight_and_looks()
    sight.changed(rendezvous("90", round=5))
    sight.changed(rendezvous("40", round=4))
    assert sight.rendezvous is not None
    assert sight.rendezvous.status.round == 5, "an event of before, or our own POST's answer"
    sight.relisted([rendezvous("40", round=4)])
    assert sight.rendezvous is not None
    assert sight.rendezvous.status.round == 4
