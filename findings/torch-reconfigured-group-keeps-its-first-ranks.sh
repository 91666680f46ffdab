#!/usr/bin/env bash
# torch 2.15.0, gloo, two processes on CPU; `_reconfigure` is experimental.
#
# One would guess that after distributed_c10d._reconfigure the whole of torch.distributed speaks of the new world. rank and
# world size do, and collectives run in it; but the table from which get_process_group_ranks answers stays the one of
# init_process_group, and names of sub-groups go on with a counter of each process: a process that has lived through rounds
# and one that has just come give the same sub-group different names, by which its members look for each other.
#
# Seen, after two processes that each began alone have become one world of two: world size 2 on both, ranks of the default
# group [0] on both, all_reduce of ones 2.0; group counter 4 on the one that had made three groups before, 1 on the other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.15.0' numpy
cat > "$folder/process.py" <<'PY'
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import distributed_c10d as c10d

port, me = int(sys.argv[1]), int(sys.argv[2])
store = dist.TCPStore("127.0.0.1", port, is_master=me == 0, wait_for_workers=False, timeout=timedelta(seconds=30))
dist.init_process_group("gloo", store=store, rank=1000 + me, world_size=1, enable_reconfigure=True)


def take(uuid, rank, size):
    store.set(f"{uuid}/{rank}", c10d._get_reconfigure_handle())
    handles = [store.get(f"{uuid}/{each}").decode() for each in range(size)]
    c10d._reconfigure(uuid=uuid, handles=handles, timeout=timedelta(seconds=20)).wait()


if me == 0:
    take(1, 0, 1)
    for _ in range(3):
        dist.destroy_process_group(dist.new_group([0]))
take(2, me, 2)
ones = torch.ones(1)
dist.all_reduce(ones)
print(
    f"process {me}: world size {dist.get_world_size()}, ranks {dist.get_process_group_ranks(None)}, "
    f"sum {ones.item()}, groups counted {c10d._world.group_count}",
    flush=True,
)
store.add("done", 1)
while me == 0 and store.add("done", 0) < 2:
    pass
PY
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
export GLOO_SOCKET_IFNAME=lo OMP_NUM_THREADS=1
"$folder/venv/bin/python" "$folder/process.py" "$port" 1 > "$folder/one" 2> "$folder/one.err" &
"$folder/venv/bin/python" "$folder/process.py" "$port" 0 > "$folder/zero" 2> "$folder/zero.err" || cat "$folder/zero.err" >&2
wait
cat "$folder/zero" "$folder/one"
grep -qx 'process 0: world size 2, ranks \[0\], sum 2.0, groups counted 4' "$folder/zero"
grep -qx 'process 1: world size 2, ranks \[0\], sum 2.0, groups counted 1' "$folder/one"
echo "as described"
