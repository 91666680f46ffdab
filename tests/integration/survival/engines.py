"""The engines whose survivors are tested: all of torch's, or with trainers on a GPU (`make gpu`) the one for NCCL."""

import os

from integration.survival.trainers.one_gpu_for_all import VARIABLE

ON_GPU = os.environ.get(VARIABLE) == "cuda"
ENGINES = ("re-init",) if ON_GPU else ("reconfigure", "re-init")
FIRST_ENGINE = ENGINES[0]
