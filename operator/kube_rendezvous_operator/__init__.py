"""The kube-rendezvous operator: a pure core that decides, and a kopf shell that observes and writes."""
