"""What of a state can be carried to the host, and what is said of the rest."""

import contextlib
import subprocess
import sys
from typing import Any

import pytest

np = pytest.importorskip("numpy")
jax = pytest.importorskip("jax", reason="a state of JAX is there only where JAX is installed")

from kube_rendezvous.survival.jax_state import StateError, share, to_host  # noqa: E402


def test_arrays_are_copied_and_all_else_is_kept() -> None:
    held = np.ones(3)
    state = {"w": jax.numpy.arange(4.0), "rest": (held, 7, "name", None)}
    got = to_host(state)
    assert isinstance(got["w"], np.ndarray)
    assert got["w"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert got["w"].flags.owndata
    assert got["w"].flags.writeable
    assert got["rest"][1:] == (7, "name", None)
    assert got["rest"][0] is not held


def test_the_leaf_of_a_failed_step_is_named() -> None:
    from jax._src import dispatch

    def fails(x: Any) -> Any:
        raise ValueError("connection closed")

    def step(x: Any) -> Any:
        return jax.pure_callback(fails, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    def poisoned_while_it_waits_for_its_input() -> Any:
        # JAX raises at once where the input is there already, and otherwise gives an array that raises when it is used.
        for steps in (50, 500, 5000):
            late = jax.jit(lambda x, n=steps: jax.lax.fori_loop(0, n, lambda _, y: y @ x / 1000, x))
            with contextlib.suppress(jax.errors.JaxRuntimeError, ValueError):
                return jax.jit(step)(late(jax.numpy.ones((400, 400))))
        raise AssertionError("the input was always there before the step began")

    poisoned = poisoned_while_it_waits_for_its_input()
    try:
        with pytest.raises(StateError, match=r"state\['layers'\]\[1\] comes from a step that failed"):
            to_host({"layers": [jax.numpy.ones(1), poisoned]})
    finally:
        dispatch.runtime_tokens.clear()  # else JAX waits for it once more when this process ends


def test_a_leaf_that_was_donated_is_named() -> None:
    gone = jax.numpy.ones(2)
    gone.delete()
    with pytest.raises(StateError, match=r"state\['w'\] was donated"):
        to_host({"w": gone})


def test_random_keys_have_to_be_made_numbers() -> None:
    with pytest.raises(StateError, match="key_data"):
        to_host([jax.random.key(0)])


def test_alone_everything_is_shared_already() -> None:
    assert share({"step": 3}, 0)["step"] == 3
    with pytest.raises(ValueError, match="source 1"):
        share({"step": 3}, 1)


def test_no_module_but_those_for_jax_imports_it() -> None:
    code = (
        "import sys, kube_rendezvous.keeping.forwarder, kube_rendezvous.keeping.coordinator_process, "
        "kube_rendezvous.survival.jax_runtime, kube_rendezvous.survival.jax_state; "
        "sys.exit(any(name in sys.modules for name in ('jax', 'jaxlib', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
