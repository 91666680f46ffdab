"""A decision on the largest rendezvous works out nothing again that the one before has worked out."""

from kube_rendezvous.resources import LARGEST_WORLD
from kube_rendezvous_core import decide
from kube_rendezvous_core.liveness.admission import is_nobodys
from kube_rendezvous_core.ranking.natural_order import natural_key
from unit.core.builders import NOW, rendezvous, seen


def test_while_ten_thousand_gather_each_name_and_each_address_is_read_once() -> None:
    gathering = rendezvous(min_nodes=LARGEST_WORLD, max_nodes=LARGEST_WORLD)
    members = [
        seen(f"trainer-{number}", slot=str(number), address=f"10.{number // 256}.{number % 256}.7", reads_slices=True)
        for number in range(LARGEST_WORLD - 1)
    ]
    read = []
    for _ in range(2):
        assert decide(gathering, members, NOW).status.round == 0
        read.append(natural_key.cache_info().misses + is_nobodys.cache_info().misses)
    assert read[0] == read[1]
