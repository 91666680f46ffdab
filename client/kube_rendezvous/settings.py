"""What `torchrun` (or any caller of the rendezvous API) can set, read from `RendezvousParameters`."""

import logging
import re
from dataclasses import dataclass
from typing import Literal

from kube_rendezvous.api import RendezvousParameters
from kube_rendezvous.setting_names import mistaken_settings

_log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST_NAME = 63  # of a label's value: pods are labelled with it
_SLOT = re.compile(r"[0-9A-Za-z._-]{0,63}")

# How torchrun's options are called in sentences. Who reads them may have typed neither: launchers build the arguments.
RUN_ID = "--rdzv-id (or PET_RDZV_ID)"
ENDPOINT = "--rdzv-endpoint (or PET_RDZV_ENDPOINT)"
ENDPOINT_ORIGINS = (
    " A HOST:PORT that you did not type comes from the variable PET_RDZV_ENDPOINT (Kubeflow sets it: pass "
    "--rdzv-endpoint= or unset it), or from accelerate's --main_process_ip (pass --same_network); --rdzv-conf "
    "namespace=NAME wins over both"
)

Create = Literal["if-missing", "never"]


@dataclass(frozen=True, slots=True)
class HandlerSettings:
    """Settings of one handler. Times in seconds.

    Args:
        name: of the Rendezvous: `name` of `--rdzv-conf`, else `--rdzv-id`.
        namespace: `namespace` of `--rdzv-conf`, else `--rdzv-endpoint`; None: the pod's own, or the kubeconfig's.
        min_nodes, max_nodes: `--nnodes`, used when the object has to be created.
        join_timeout: for one `next_rendezvous`.
        close_timeout: for `set_closed` and `shutdown`.
        last_call_timeout: `lastCallSeconds` of an object that has to be created; None: its default.
        read_timeout: of the bootstrap store.
        kubeconfig, context: credentials; None: KUBECONFIG, the pod's own, or `~/.kube/config`.
        address: how others reach this node; None: found out.
        slot: stable place hint; None: found out.
        create: whether a missing Rendezvous is created.
        watch_neighbours: whether this node and its neighbours watch each other where heartbeats are rare.
    """

    name: str
    namespace: str | None
    min_nodes: int
    max_nodes: int
    join_timeout: float = 600.0
    close_timeout: float = 30.0
    last_call_timeout: int | None = None
    read_timeout: float = 60.0
    kubeconfig: str | None = None
    context: str | None = None
    address: str | None = None
    slot: str | None = None
    create: Create = "if-missing"
    watch_neighbours: bool = False


def read_settings(params: RendezvousParameters) -> HandlerSettings:
    """Read the settings. Unknown keys are ignored, because launchers add their own; those of nobody with a warning.

    Raises:
        ValueError: a value cannot be used; the text says which one and what to pass.
    """
    for mistake in mistaken_settings(params.config):
        _log.warning("--rdzv-conf, ignored: %s", mistake)
    create = params.get("create", "if-missing")
    if create not in ("if-missing", "never"):
        raise ValueError(f"--rdzv-conf create={create!r}: use 'if-missing' or 'never'")
    slot = params.get("slot")
    if slot is not None and not _SLOT.fullmatch(str(slot)):
        raise ValueError(f"--rdzv-conf slot={slot!r}: use at most 63 letters, digits, '.', '_' and '-'")
    return HandlerSettings(
        name=_name(params),
        namespace=_namespace(params),
        min_nodes=params.min_nodes,
        max_nodes=params.max_nodes,
        join_timeout=_seconds(params, "join_timeout", 600),
        close_timeout=_seconds(params, "close_timeout", 30),
        last_call_timeout=_last_call(params),
        read_timeout=_seconds(params, "read_timeout", 60),
        kubeconfig=params.get("kubeconfig"),
        context=params.get("context"),
        address=params.get("address") or params.local_addr,
        slot=None if slot is None else str(slot),
        create=create,
        watch_neighbours=_yes_or_no(params, "watch_neighbours", default=False),
    )


def _name(params: RendezvousParameters) -> str:
    named = params.get("name")
    name, given = (str(named), "--rdzv-conf name") if named else (params.run_id, RUN_ID)
    if not name or name == "none":
        raise ValueError(
            f"The kubernetes rendezvous backend needs the name of a Rendezvous object: {RUN_ID}, for example my-run, "
            "or --rdzv-conf name=my-run for a launcher that passes no id (torchrun's default is 'none')"
        )
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"{given}={name!r} cannot be the name of a Rendezvous object: use at most {_LONGEST_NAME} "
            f"lower-case letters, digits, '-' and '.', for example {_suggest(name)}"
        )
    return name


def _namespace(params: RendezvousParameters) -> str | None:
    named = params.get("namespace")
    if named and not _NAMESPACE.fullmatch(str(named)):
        raise ValueError(f"--rdzv-conf namespace={named!r} cannot be the name of a namespace")
    namespace = named or params.endpoint or None
    if namespace is not None and not _NAMESPACE.fullmatch(namespace):
        raise ValueError(
            f"{ENDPOINT}={namespace!r} is not a namespace: with the kubernetes backend the endpoint names the "
            "namespace of the Rendezvous object; leave it out for the pod's own (or the kubeconfig's) namespace."
            + ENDPOINT_ORIGINS
        )
    return namespace


def _seconds(params: RendezvousParameters, key: str, default: int) -> float:
    value = _whole_number(params, key, default)
    if value is None or value <= 0:
        raise ValueError(f"--rdzv-conf {key}={value}: must be a number of seconds above 0")
    return float(value)


def _yes_or_no(params: RendezvousParameters, key: str, *, default: bool) -> bool:
    value = str(params.get(key, default)).lower()
    if value not in ("true", "false", "1", "0"):
        raise ValueError(f"--rdzv-conf {key}={value}: use true or false")
    return value in ("true", "1")


def _last_call(params: RendezvousParameters) -> int | None:
    value = _whole_number(params, "last_call_timeout")
    if value is not None and not 0 <= value <= 86400:
        raise ValueError(f"--rdzv-conf last_call_timeout={value}: must be a number of seconds from 0 to 86400")
    return value


def _whole_number(params: RendezvousParameters, key: str, default: int | None = None) -> int | None:
    try:
        return params.get_as_int(key, default)
    except ValueError as error:
        raise ValueError(
            f"--rdzv-conf {key}={params.get(key)}: must be a whole number of seconds, for example {key}=60"
        ) from error


def _suggest(run_id: str) -> str:
    return re.sub(r"[^a-z0-9.-]+", "-", run_id.lower()).strip("-.")[:_LONGEST_NAME].strip("-.") or "my-run"
