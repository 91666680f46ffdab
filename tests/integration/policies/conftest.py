"""The nodes, the Rendezvous and the operator of the tests of handlers, with an operator of our own."""

from integration.handlers.conftest import all_nodes, anybody, node, operator, operator_log, recorder, run, runs

__all__ = ["all_nodes", "anybody", "node", "operator", "operator_log", "recorder", "run", "runs"]
