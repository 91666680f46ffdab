"""Where a trainer computes: with TRAINER_DEVICE=cuda on a GPU, which all trainers of a test share.

NCCL refuses two ranks on one GPU of one host. Here every process says that it is a host of its own, so that they talk
through sockets: slow, and otherwise what nodes with one GPU each do.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

VARIABLE = "TRAINER_DEVICE"


def device_of(name: str) -> "torch.device":
    """The device of this process. To be called before it does anything with CUDA.

    Args:
        name: of the process, among all of the run.
    """
    import torch  # tests without it read the name of the variable here

    device = torch.device(os.environ.get(VARIABLE) or "cpu")
    if device.type == "cuda":
        os.environ["NCCL_HOSTID"] = f"{name}-{os.getpid()}"
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
        torch.cuda.set_device(0)
    return device
