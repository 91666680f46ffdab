"""Variables by which the command tells the processes of the tests what they need."""

NAMESPACE = "TORCH_TESTS_NAMESPACE"
"""Of the Rendezvous."""
TEST = "TORCH_TESTS_TEST"
"""A number of the test that runs."""
REPORT = "TORCH_TESTS_REPORT"
"""The file for how each test ended."""
