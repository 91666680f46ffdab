"""What XLA must be told before a process starts that is to live through rounds. Imports no JAX."""

VARIABLE = "XLA_FLAGS"
_DISABLED, _COMBINER = "--xla_disable_hlo_passes=", "cpu-all-reduce-combiner"


def with_separate_all_reduces(flags: str) -> str:
    """XLA_FLAGS of a process that comes out of every step whose peers are lost.

    XLA for CPU puts the all-reduces of a step together, and a step with such a one does not always end when a peer is
    lost (jax 0.10.2). One by one, the first that fails ends it.

    Args:
        flags: the user's. The name of a file of flags is left as it is.
    """
    words = flags.split()
    if words and not words[0].startswith("--"):
        return flags
    given = [word.removeprefix(_DISABLED) for word in words if word.startswith(_DISABLED)]
    others = [word for word in words if not word.startswith(_DISABLED)]
    return " ".join([*others, _DISABLED + ",".join([*given[-1:], _COMBINER])])  # of several XLA takes the last
