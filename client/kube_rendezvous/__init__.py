"""Elastic training rendezvous as a Kubernetes object: the client side.

Start with :mod:`kube_rendezvous.api`, PyTorch's rendezvous interface without torch. This package
imports nothing by itself, because every process that imports torch's elastic package loads it.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
