"""Where the API server is and who we are: a pod's service account, or a kubeconfig.

The `kubernetes` client knows every kind of credential (exec plugins, OIDC, rotating projected tokens, proxies); it is
imported when the first connection is made, because that costs half a second and 40 MB.
"""

import os
from pathlib import Path
from typing import Any

from kube_rendezvous.raised_by_signals import came_with_a_signal

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class CredentialsError(Exception):
    """No usable credentials; the text says where they were looked for and what to do."""


def in_pod() -> bool:
    """Whether this process has a pod's service account."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and (_SERVICE_ACCOUNT / "token").is_file()


def load_configuration(kubeconfig: str | None, context: str | None) -> tuple[Any, str]:
    """Find credentials: the given kubeconfig, else `KUBECONFIG`, else the pod's own, else `~/.kube/config`.

    Returns:
        A `kubernetes.client.Configuration` and the namespace that goes with it ("default" if none is said).

    Raises:
        CredentialsError: there are none, or they cannot be read.
    """
    from kubernetes import client, config

    configuration = client.Configuration()
    named = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if not named and not context and in_pod():
            config.load_incluster_config(client_configuration=configuration)
            return configuration, _pod_namespace()
        if kubeconfig and not Path(kubeconfig).is_file():
            raise CredentialsError(
                f"There is no kubeconfig at {kubeconfig}: correct the 'kubeconfig' key of --rdzv-conf, or leave it "
                "out to use KUBECONFIG, the pod's service account or ~/.kube/config"
            )
        config.load_kube_config(config_file=named, context=context, client_configuration=configuration)
        return configuration, _context_namespace(named, context)
    except CredentialsError:
        raise
    except Exception as error:  # the client raises its own, yaml's, OSError and more
        if came_with_a_signal(error):
            raise
        place = named or "~/.kube/config"
        raise CredentialsError(
            f"No credentials for a Kubernetes API server: {place} cannot be used ({error}) and this is not a pod with "
            "a service account. Set KUBECONFIG, or pass --rdzv-conf kubeconfig=PATH,context=NAME"
        ) from error


def _pod_namespace() -> str:
    try:
        return (_SERVICE_ACCOUNT / "namespace").read_text().strip() or "default"
    except OSError:
        return os.environ.get("POD_NAMESPACE", "default")


def _context_namespace(kubeconfig: str | None, context: str | None) -> str:
    from kubernetes import config

    contexts, active = config.list_kube_config_contexts(config_file=kubeconfig)
    chosen = next((c for c in contexts if c["name"] == context), active) if context else active
    return str(chosen["context"].get("namespace") or "default")


def service_account_token() -> str | None:
    """The pod's projected token, freshly read; None outside a pod."""
    try:
        return (_SERVICE_ACCOUNT / "token").read_text().strip()
    except OSError:
        return None
