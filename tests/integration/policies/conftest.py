"""The nodes and the Rendezvous of the tests of handlers."""

from integration.handlers.conftest import all_nodes, node, run, runs, watched

__all__ = ["all_nodes", "node", "run", "runs", "watched"]
