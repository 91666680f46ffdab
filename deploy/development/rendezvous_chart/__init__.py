"""Generates the CRD templates of the Helm chart and the plain manifests, each from its one source."""
