"""The feature gates of Kubernetes 1.37 that have a part in what the rendezvous reads, or that make other pods."""

from collections.abc import Mapping, Sequence

from rendezvous_local.errors import LocalControlPlaneError

# Of 1.37.2: some are on by default, and stay here so that a server where they are not says the same.
NEWEST = (
    "ContainerRestartRules",
    "RestartAllContainersOnContainerExits",
    "ResourceHealthStatus",
    "ResourceHealthStatusMessage",
    "NodeDeclaredFeatures",
    "NodeLifecycleConditions",
    "EvictionRequestAPI",
    "GenericWorkload",
    "WorkloadWithJob",
    "TopologyAwareWorkloadScheduling",
    "DynamicResourceAllocation",
    "DRADeviceTaints",
    "DRADeviceTaintRules",
    "PodCertificateRequest",
)


def feature_gates(gates: Sequence[str]) -> list[str]:
    """The argument that switches these on, of any component; none if there are none."""
    return [f"--feature-gates={','.join(f'{gate}=true' for gate in gates)}"] if gates else []


def api_server_flags(gates: Sequence[str]) -> list[str]:
    """Flags of an API server that has these on, and serves what is behind them."""
    return ["--runtime-config=api/beta=true,api/alpha=true", *feature_gates(gates)] if gates else []


def named_gates(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Those that the variable ``GATES`` asks for: none, or ``newest``.

    Raises:
        LocalControlPlaneError: It says something else.
    """
    name = environment.get("GATES", "")
    if name not in ("", "newest"):
        raise LocalControlPlaneError(
            f"GATES={name}: only newest is known; unset it for the gates as Kubernetes has them"
        )
    return NEWEST if name else ()
