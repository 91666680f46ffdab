"""The number of a round: above that of every round that one of its members knows of.

It is one more than the last, but where the storage was restored from a backup: then members know of later rounds than
the status does, and a number must not mean two rounds.
"""

from collections.abc import Iterable

from kube_rendezvous.resources import Forming, Member

MOST_FORGOTTEN = 100_000
"""Rounds that a backup may be behind. Who claims to know of more was written by hand."""


def round_number(forming: Forming, chosen: Iterable[Member]) -> int:
    """Of the round that is formed now.

    Args:
        forming: the round in the making, numbered after the last one that the status knows of.
        chosen: its members.
    """
    known = (member.after_round for member in chosen if member.after_round < forming.round + MOST_FORGOTTEN)
    return max(forming.round, 1 + max(known, default=0))
