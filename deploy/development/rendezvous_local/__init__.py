"""A real Kubernetes control plane on this machine: etcd and kube-apiserver, with nothing around them.

``python -m rendezvous_local up`` runs it for a person, ``rendezvous_local.cluster.cluster`` for tests and the demo.
No kubelet and no controller manager run here: pods do not start, owner references are not collected and a deleted
namespace stays ``Terminating``.
"""
