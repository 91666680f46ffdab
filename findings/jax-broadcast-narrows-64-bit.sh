#!/usr/bin/env bash
# JAX 0.10.2, two processes on CPU, default settings.
#
# One would guess that multihost_utils.broadcast_one_to_all gives every process the value that the source passed: it is
# there to make hosts agree on a seed, a step or a checkpoint's name. A 64-bit integer comes back with its upper half cut
# off, on the source as well, and without an error: the value goes through a device array of 32 bits.
#
# Seen: sent 1099511627783 (2^40 + 7), got 7.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2'
cat > "$folder/process.py" <<'PY'
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

port, process = sys.argv[1], int(sys.argv[2])
jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=process)
sent = np.int64(2**40 + 7) if process == 0 else np.int64(0)
got = multihost_utils.broadcast_one_to_all(sent)
print(f"process {process}: sent {sent}, got {int(got)}", flush=True)
jax.distributed.shutdown()
PY
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
export JAX_PLATFORMS=cpu
"$folder/venv/bin/python" "$folder/process.py" "$port" 1 > "$folder/one" 2> "$folder/one.err" &
"$folder/venv/bin/python" "$folder/process.py" "$port" 0 > "$folder/zero" 2> "$folder/zero.err"
wait
grep -h '^process' "$folder/zero" "$folder/one"
grep -qx 'process 0: sent 1099511627783, got 7' "$folder/zero"
grep -qx 'process 1: sent 0, got 7' "$folder/one"
echo "as described"
