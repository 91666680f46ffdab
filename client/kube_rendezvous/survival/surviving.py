"""`survive`: the way in. Chooses where rounds come from and how they are taken in."""

import importlib.util
import logging
import os
from collections.abc import Callable
from typing import Any, Literal

from kube_rendezvous.api import RendezvousParameters
from kube_rendezvous.survival.engine import Engine
from kube_rendezvous.survival.errors import EngineError
from kube_rendezvous.survival.group import Group
from kube_rendezvous.survival.launcher_link import LauncherLink
from kube_rendezvous.survival.launcher_wire import inherited_end
from kube_rendezvous.survival.round_source import RoundSource

_log = logging.getLogger(__name__)

EngineName = Literal["auto", "reconfigure", "re-init", "jax"]
ENGINE_VARIABLE = "KUBE_RENDEZVOUS_ENGINE"


def survive(
    name: str | None = None,
    *,
    nnodes: str | int | None = None,
    namespace: str | None = None,
    address: str | None = None,
    progress: Callable[[], int] = lambda: 0,
    before_leaving: Callable[[], None] = lambda: None,
    engine: EngineName | None = None,
    backend: str | None = None,
    collective_timeout: float = 300.0,
    take_in_timeout: float = 30.0,
    news_timeout: float = 20.0,
    **settings: Any,
) -> Group:
    """Take part in a rendezvous with a process that lives through its rounds; see `kube_rendezvous.survival`.

    Under ``kube-rendezvous run --keep-survivors`` the launcher takes part, and says which rendezvous: call it without
    arguments. Else this process takes part by itself, as the only worker of its node.

    Args:
        name: of the Rendezvous object.
        nnodes: ``"MIN:MAX"`` or one number of nodes; used when the object has to be created, else its spec wins.
        namespace: of it; None: the pod's own, or the kubeconfig's.
        address: how other nodes reach this one; None: found out.
        progress: how far this process has come, in steps: of those that survive a loss the furthest has the newest
            state. Called whenever a round is taken in.
        before_leaving: called in the trainer's thread between two rounds. JAX:
            the time to copy the state to the host, see `kube_rendezvous.survival.jax_state`.
        engine: ``reconfigure`` (torch's own), ``re-init`` (every torch, NCCL), ``jax``, or ``auto``; None: what
            KUBE_RENDEZVOUS_ENGINE says, else ``auto``.
        backend: of torch's process group, as of `init_process_group`; None: ``nccl`` where CUDA is, else ``gloo``.
        collective_timeout: seconds for one collective, after which it fails.
        take_in_timeout: seconds for connecting to the peers of a round, once all are there.
        news_timeout: seconds for which to wait for the news that a peer is lost, after a collective has failed. Longer
            than three heartbeats, or a loss that only its silence tells is taken for a cut network.
        settings: as of ``--rdzv-conf``: join_timeout, last_call_timeout, slot, create, kubeconfig, …

    Raises:
        ValueError: a setting cannot be used, or name and nnodes are missing where there is no launcher.
        EngineError: the engine cannot work here.
        kube_rendezvous.api.RendezvousError: under the launcher: this process takes part already.
        kube_rendezvous.api.RendezvousConnectionError: there are no usable credentials.
    """
    wanted = engine or os.environ.get(ENGINE_VARIABLE, "") or "auto"
    chosen = _make_engine(wanted, backend, collective_timeout, take_in_timeout)
    source = _make_source(chosen.name, name, nnodes, namespace, address, settings)
    _log.info("survivors keep their processes: engine %s", chosen.name)
    return Group(source, chosen, progress=progress, before_leaving=before_leaving, news_timeout=news_timeout)


def _make_source(
    engine: str,
    name: str | None,
    nnodes: str | int | None,
    namespace: str | None,
    address: str | None,
    settings: dict[str, Any],
) -> RoundSource:
    end = inherited_end()
    if end is not None:
        return LauncherLink(end, engine)
    if engine == "jax":
        raise EngineError(
            "JAX processes survive under `kube-rendezvous run --keep-survivors` only: it serves the coordination "
            "service of each round and shields the processes from its end"
        )
    if name is None or nnodes is None:
        raise ValueError(
            'survive("my-run", nnodes="2:4"): without `kube-rendezvous run --keep-survivors` the name of the '
            "Rendezvous and the number of nodes are needed"
        )
    from kube_rendezvous.participation import Participation
    from kube_rendezvous.survival.own_membership import OwnMembership

    low, _, high = str(nnodes).partition(":")
    try:
        fewest, most = int(low), int(high or low)
    except ValueError as error:
        raise ValueError(f'nnodes={nnodes!r}: write "MIN:MAX", for example "2:4", or one number') from error
    params = RendezvousParameters("kubernetes", namespace or "", name, fewest, most, address, **settings)
    return OwnMembership(Participation(params))


def _make_engine(wanted: str, backend: str | None, collective_timeout: float, take_in_timeout: float) -> Engine:
    if wanted == "jax":
        from kube_rendezvous.survival.jax_engine import JaxEngine

        return JaxEngine(take_in_timeout=take_in_timeout)
    if wanted not in ("auto", "reconfigure", "re-init"):
        raise ValueError(f"engine={wanted!r}: use 'auto', 'reconfigure', 're-init' or 'jax'")
    if importlib.util.find_spec("torch") is None:
        raise EngineError(f"engine {wanted!r} needs torch, which is not installed here (JAX: engine='jax')")
    import torch

    from kube_rendezvous.survival import reconfigure_engine, reinit_engine

    chosen_backend = backend or ("nccl" if torch.cuda.is_available() else "gloo")
    can = reconfigure_engine.torch_can_reconfigure()
    if wanted == "reconfigure" and not can:
        raise EngineError(f"torch {torch.__version__} has no _reconfigure (2.15 has): use engine='re-init'")
    if wanted == "reconfigure" or (wanted == "auto" and can and chosen_backend in reconfigure_engine.BACKENDS):
        return reconfigure_engine.ReconfigureEngine(
            chosen_backend, collective_timeout=collective_timeout, take_in_timeout=take_in_timeout
        )
    return reinit_engine.ReinitEngine(
        chosen_backend, collective_timeout=collective_timeout, take_in_timeout=take_in_timeout
    )
