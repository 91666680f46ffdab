#!/usr/bin/env bash
# torch 2.15.0, torch.distributed.checkpoint, gloo, two processes on CPU.
#
# One would guess that what each rank puts into its state_dict comes back to that rank, or at least that one rank's state is
# taken as a whole. A checkpoint keeps one value for each name, and whose it is is decided name by name, by how much each
# rank has to write so far: what ranks differ in (position in the data, random state, counters) comes back from another
# rank, and two values that belong together from two different ranks. Nothing is said. What differs needs the rank, or better
# the shard, in its name; and that is what a world of another size can then take in.
#
# Seen, ranks 0 and 1 each saving their own number under four names: both load weights 0, generator 1, position 1, step 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.15.0' numpy
cat > "$folder/process.py" <<'PY'
import sys

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as checkpoint

port, me, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
store = dist.TCPStore("127.0.0.1", port, is_master=me == 0, wait_for_workers=False)
dist.init_process_group("gloo", store=store, rank=me, world_size=2)


def state(number):
    return {
        "weights": torch.full((1000,), float(number)),
        "generator": torch.full((500,), float(number)),
        "position": torch.tensor(number),
        "step": number,
    }


checkpoint.save(state(me), checkpoint_id=folder)
loaded = state(-1)
checkpoint.load(loaded, checkpoint_id=folder)
said = ", ".join(f"{name} {int(torch.as_tensor(value).flatten()[0])}" for name, value in loaded.items())
print(f"process {me}: {said}", flush=True)
store.add("done", 1)
while me == 0 and store.add("done", 0) < 2:
    pass
PY
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
export GLOO_SOCKET_IFNAME=lo OMP_NUM_THREADS=1
"$folder/venv/bin/python" "$folder/process.py" "$port" 1 "$folder/saved" > "$folder/one" 2> "$folder/one.err" &
"$folder/venv/bin/python" "$folder/process.py" "$port" 0 "$folder/saved" > "$folder/zero" 2> "$folder/zero.err" || cat "$folder/zero.err" >&2
wait
cat "$folder/zero" "$folder/one"
grep -qx 'process 0: weights 0, generator 1, position 1, step 1' "$folder/zero"
grep -qx 'process 1: weights 0, generator 1, position 1, step 1' "$folder/one"
echo "as described"
