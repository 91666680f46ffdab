#!/usr/bin/env bash
# torch 2.15.0, torch.distributed.TCPStore, the client's side (is_master=False), at a port where nobody listens.
#
# The documentation calls timeout the one "used by the store during initialization". One would guess that a client whose
# server is gone raises when it is over. It tries for about that long, pauses for up to about as long, and tries once more for as
# long: with 5 s it raises after 6 to 15 s, another time at each try, and with the usual 300 s it may take a quarter of an hour.
# Nothing interrupts it meanwhile. Who has a limit to keep must give a third of it, and look first whether the port is open.
#
# Seen, sixteen clients at once, timeout 5 s: DistNetworkError after 6.1 to 13.6 s, none within the timeout.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.15.0' numpy
"$folder/venv/bin/python" - > "$folder/seen" 2> "$folder/log" <<'PY'
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import torch.distributed as dist

TIMEOUT, CLIENTS = 5.0, 16


def seconds_until_it_raises(port):
    began = time.monotonic()
    try:
        dist.TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=TIMEOUT))
    except dist.DistNetworkError:
        return time.monotonic() - began


with socket.socket() as nobody, ThreadPoolExecutor(CLIENTS) as clients:
    nobody.bind(("127.0.0.1", 0))  # and never listens
    took = sorted(clients.map(seconds_until_it_raises, [nobody.getsockname()[1]] * CLIENTS))
print("after " + ", ".join(f"{one:.1f}" for one in took) + " s")
print("none within the timeout" if took[0] > TIMEOUT else "within the timeout")
print("over twice the timeout" if took[-1] > 2 * TIMEOUT else "within twice the timeout")
print("never over 3.5 times" if took[-1] < 3.5 * TIMEOUT else "over 3.5 times")
PY
cat "$folder/seen"
grep -qx 'none within the timeout' "$folder/seen"
grep -qx 'over twice the timeout' "$folder/seen"
grep -qx 'never over 3.5 times' "$folder/seen"
echo "as described"
