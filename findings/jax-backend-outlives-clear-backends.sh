#!/usr/bin/env bash
# JAX 0.10.2, one process on CPU.
#
# One would guess that jax.extend.backend.clear_backends() drops the backend: its threads and memory. It only forgets it.
# The backend is part of a reference cycle and stays until the garbage collector runs; and a numpy view of an array
# (np.asarray shares memory on CPU) keeps it for as long as the view lives, collector or not. np.array, a copy, does not.
# For a process that changes its world in place, that is one client with its threads more for each change.
#
# Seen: alive after clear_backends: True; after gc.collect with a view held: True; after the view is gone: False; with a
# copy held instead: False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2'
cat > "$folder/look.py" <<'PY'
import gc
import weakref

import jax
import jax.extend.backend
import jax.numpy as jnp
import numpy as np


def after_clearing(keep):
    gc.disable()
    array = jnp.arange(8.0) + 1
    backend = weakref.ref(jax.devices()[0].client)
    kept = keep(array)
    del array
    jax.extend.backend.clear_backends()
    cleared = backend() is not None
    gc.collect()
    collected = backend() is not None
    del kept
    gc.collect()
    return cleared, collected, backend() is not None


print("view held: after clear_backends %s, after gc.collect %s, after the view is gone %s" % after_clearing(np.asarray))
print("copy held: after clear_backends %s, after gc.collect %s, after the copy is gone %s" % after_clearing(np.array))
PY
JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/look.py" > "$folder/seen" 2> "$folder/errors" || { cat "$folder/errors" >&2; exit 1; }
cat "$folder/seen"
grep -qx 'view held: after clear_backends True, after gc.collect True, after the view is gone False' "$folder/seen"
grep -qx 'copy held: after clear_backends True, after gc.collect False, after the copy is gone False' "$folder/seen"
echo "as described"
