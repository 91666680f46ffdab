#!/usr/bin/env bash
# torch 2.15.0, torch.distributed.elastic.utils.data.ElasticDistributedSampler.
#
# One would guess that start_index, how many samples of the epoch have been taken, makes the sampler of a changed world go on
# where the old one was: it is what the class adds to DistributedSampler. It draws a new order of the indices from start_index
# on. That many samples have been taken, but of an order of all indices: those below start_index that were not among them
# never come in this epoch, and as many above it come twice. The order is always shuffled: the class takes neither shuffle
# nor seed. Resuming needs the first order kept and the taken part of it cut off.
#
# Seen, 1000 samples, 400 taken by a world of 4 and the rest by a world of 2: 1000 taken, 228 never, 228 twice.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.15.0' numpy
"$folder/venv/bin/python" - > "$folder/seen" <<'PY'
from collections import Counter

from torch.distributed.elastic.utils.data import ElasticDistributedSampler

SAMPLES, BEFORE = 1000, 400


def shares(world, start_index):
    for rank in range(world):
        yield list(ElasticDistributedSampler(range(SAMPLES), num_replicas=world, rank=rank, start_index=start_index))


taken = Counter(index for share in shares(4, 0) for index in share[: BEFORE // 4])
taken.update(index for share in shares(2, BEFORE) for index in share)
print(f"{taken.total()} taken, {SAMPLES - len(taken)} never, {sum(times == 2 for times in taken.values())} twice")
PY
cat "$folder/seen"
grep -qx '1000 taken, 228 never, 228 twice' "$folder/seen"
echo "as described"
