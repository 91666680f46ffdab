"""torchrun's variables of the present round, for libraries that read them. torch-free."""

import os

from kube_rendezvous.survival.worker_place import WorkerPlace


def set_environment(place: WorkerPlace, rank: int, world_size: int) -> None:
    """Let libraries that read torchrun's variables find the round.

    Args:
        rank, world_size: of the worker among all workers of the round.
    """
    os.environ.update(place.environment(rank, world_size))
