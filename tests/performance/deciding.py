"""What one decision of the operator costs while members gather, all but one there: the longest that it has to do."""

import statistics
import time
from itertools import pairwise

from kube_rendezvous_core import decide
from unit.core.builders import NOW, rendezvous, seen

_TIMES = 7


def seconds_to_decide(nodes: int) -> float:
    """Seconds of CPU of one decision on so many members, the median of some; what is read once is left out."""
    gathering = rendezvous(min_nodes=nodes, max_nodes=nodes)
    members = [
        seen(f"trainer-{number}", slot=str(number), address=f"10.{number // 256}.{number % 256}.7", reads_slices=True)
        for number in range(nodes - 1)
    ]
    moments = []
    for _ in range(_TIMES + 2):
        moments.append(time.process_time())
        decide(gathering, members, NOW)
    return statistics.median(end - begin for begin, end in pairwise(moments[1:]))
