"""Lends this machine's pip configuration to an image build, so that nothing of it stays in the image."""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CERTIFICATES = "/run/secrets/certificates"  # where the Dockerfiles mount them
LENT = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")


def build_secrets(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Writes what the Dockerfiles ask for as secrets: ``pip.conf``, and ``certificates`` if this machine has its own.

    Args:
        folder: Where to write.
        environment: Of this process.
    """
    settings = read_settings(_pip_config_list())
    certificates = settings.get("cert") or environment.get("SSL_CERT_FILE")
    secrets = {"pip.conf": folder / "pip.conf"}
    if certificates and Path(certificates).is_file():
        secrets["certificates"] = Path(certificates)
    secrets["pip.conf"].write_text(pip_conf(settings, own_certificates="certificates" in secrets))
    return secrets


def read_settings(listing: str) -> dict[str, str]:
    """The settings that ``pip config list`` prints, a variable of the environment before a file, as pip has it."""
    settings: dict[str, str] = {}
    for line in sorted(listing.splitlines(), key=lambda line: line.startswith(":env:")):
        name, separator, value = line.partition("=")
        if separator:
            settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return settings


def pip_conf(settings: Mapping[str, str], *, own_certificates: bool) -> str:
    """A ``pip.conf`` for use inside a build: what names places of this machine's file system is left out."""
    lent = {name: settings[name] for name in LENT if name in settings}
    if own_certificates:
        lent["cert"] = CERTIFICATES
    # A value of several lines goes on with a space in front.
    lines = [f"{name} = {value.strip().replace(chr(10), chr(10) + '  ')}" for name, value in lent.items()]
    return "\n".join(["[global]", *lines, ""])


def _pip_config_list() -> str:
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # a Python without pip has no configuration of it
        return ""
