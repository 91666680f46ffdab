"""A real one-node Kubernetes cluster on this machine, for a person or for tests: pods start, Jobs run, Leases expire.

``python -m rendezvous_local node up`` runs it for a person, ``rendezvous_local.node.node.Node`` for tests. It needs
root and Linux. What it changes on the machine is written down before it is changed, and taken back by ``down``, by
Ctrl-C, and by the next ``up`` after a crash.
"""
