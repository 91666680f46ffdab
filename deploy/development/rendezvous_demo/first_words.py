"""What a person is told before anything begins: what will happen, how long it takes, what is there already."""

from collections.abc import Mapping, Sequence

from rendezvous_local.binaries import find
from rendezvous_local.programs import ETCD, KUBE_APISERVER, KUBECTL, Program

MINUTES = 3
PROGRAMS = (ETCD, KUBE_APISERVER, KUBECTL)


def first_words(environment: Mapping[str, str]) -> list[str]:
    """The lines for this machine as it is now."""
    own = environment.get("KUBECONFIG", "")
    missing = [program for program in PROGRAMS if find(program, environment) is None]
    return tell(own, [] if own else missing)


def tell(own: str, missing: Sequence[Program]) -> list[str]:
    """The lines.

    Args:
        own: KUBECONFIG of a cluster that is used instead of a new one; "": none.
        missing: programs of the control plane that must be built first.
    """
    where = (
        f"on the cluster of KUBECONFIG={own}, in a namespace of its own"
        if own
        else "on a Kubernetes control plane of its own on this machine: no root, no containers"
    )
    if own:
        there = "The custom resources are applied there, and stay."
    elif missing:
        names = ", ".join(f"{program.name} (about {program.minutes} min)" for program in missing)
        there = f"To be built first, once; what is done is kept whatever happens: {names}."
    else:
        there = "Its programs are in the cache: nothing is built."
    minutes = MINUTES + sum(program.minutes for program in missing)
    return [
        f"Four torchrun nodes train {where}. Two are killed, the others go on; then the same with survivors that keep "
        "their processes.",
        there,
        f"It takes about {minutes} minutes. Ctrl-C ends it at any time, and leaves nothing running.",
    ]
