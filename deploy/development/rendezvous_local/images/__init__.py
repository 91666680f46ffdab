"""The project's container images: how they are built with whatever tool is there, and a base image without a registry.

``python -m rendezvous_local image`` builds them for a person, ``rendezvous_local.images.for_node`` for tests.
"""
