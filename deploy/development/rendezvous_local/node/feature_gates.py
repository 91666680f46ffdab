"""The feature gates of Kubernetes 1.37 that have a part in what the rendezvous reads, or that make other pods."""

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
