"""XLA's all-reduces stay apart, beside whatever flags the user gives."""

import os
import subprocess
import sys

import pytest

from kube_rendezvous.survival.xla_flags import with_separate_all_reduces

COMBINER_OFF = "--xla_disable_hlo_passes=cpu-all-reduce-combiner"

TWO_SUMS = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
jax.config.update("jax_num_cpu_devices", 2)
mesh = Mesh(np.array(jax.devices()), ("devices",))
rows, everywhere = NamedSharding(mesh, PartitionSpec("devices")), NamedSharding(mesh, PartitionSpec())
sums = jax.jit(lambda x: (x.sum(axis=0), (x * x).sum()), out_shardings=everywhere)
print(sums.lower(jax.device_put(np.ones((2, 8), np.float32), rows)).compile().as_text().count(" all-reduce("))
"""


def all_reduces(flags: str) -> int:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    done = subprocess.run(
        [sys.executable, "-c", TWO_SUMS], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return int(done.stdout)


def test_xla_puts_two_all_reduces_together_unless_it_is_told_not_to() -> None:
    pytest.importorskip("jax", reason="the pass is XLA's")
    assert all_reduces("") == 1
    assert all_reduces(with_separate_all_reduces("")) == 2


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("", COMBINER_OFF),
        ("--xla_dump_to=/tmp/x", f"--xla_dump_to=/tmp/x {COMBINER_OFF}"),
        ("--xla_disable_hlo_passes=dce", "--xla_disable_hlo_passes=dce,cpu-all-reduce-combiner"),
        ("/etc/xla.flags", "/etc/xla.flags"),
    ],
)
def test_what_the_user_has_set_stays(given: str, becomes: str) -> None:
    assert with_separate_all_reduces(given) == becomes
