"""Importing the client package costs next to nothing."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import kube_rendezvous


class TestImport:
    def test_loads_nothing_but_a_little_of_the_standard_library(self) -> None:
        report = "import sys; before = set(sys.modules); import kube_rendezvous.api;print(*(set(sys.modules) - before))"
        source = Path(kube_rendezvous.__file__).parents[1]

        done = subprocess.run(
            [sys.executable, "-c", report],
            env={**os.environ, "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )

        loaded = set(done.stdout.split())
        own = {*sys.stdlib_module_names, "_missing_stdlib_info"}  # of Python 3.15, which its list leaves out
        foreign = {name.partition(".")[0] for name in loaded} - own
        assert foreign == {"kube_rendezvous"}
        assert "kube_rendezvous.handler" not in loaded
        assert not loaded & {"asyncio", "ssl", "http.client", "urllib.request", "importlib.metadata"}


class TestPackage:
    def test_has_the_version_of_the_distribution(self) -> None:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())

        assert kube_rendezvous.__version__ == project["project"]["version"]

    def test_says_that_it_is_typed(self) -> None:
        assert (Path(kube_rendezvous.__file__).parent / "py.typed").is_file()
