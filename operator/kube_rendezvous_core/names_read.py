"""What was read in names and addresses is kept, so that no decision reads ten thousand of them again.

Every incarnation of a node has a name of its own, so that a run of months meets very many.
"""

from kube_rendezvous.resources.slots import owner_in_name, slot_of_owner
from kube_rendezvous_core.liveness.admission import is_nobodys
from kube_rendezvous_core.ranking.natural_order import natural_key

_READINGS = (natural_key, is_nobodys, owner_in_name, slot_of_owner)


def forget_names() -> None:
    """To be called after more Members have gone than there are: their names are not met again. The next decision reads
    those that are there once more."""
    for reading in _READINGS:
        reading.cache_clear()


def names_kept() -> int:
    """How many readings are kept."""
    return sum(reading.cache_info().currsize for reading in _READINGS)
