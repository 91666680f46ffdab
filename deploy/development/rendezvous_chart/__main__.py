"""`python -m rendezvous_chart [--check]`: write what is generated, or say what is not up to date."""

import argparse
import sys

from rendezvous_chart.crd_templates import TOP, crd_templates
from rendezvous_chart.plain_manifests import RenderError, plain_manifests
from rendezvous_local.binaries import find_or_build
from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.programs import HELM


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 1 if a file is not up to date, 2 if helm is missing or refuses."""
    parser = argparse.ArgumentParser(
        prog="python -m rendezvous_chart",
        description="Writes the chart's CRD templates (from crds/) and deploy/kustomize (from the chart).",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if something would change")
    check = parser.parse_args(arguments).check
    stale = []
    try:
        # The chart renders its own CRD templates, so these come first.
        for generate in (crd_templates, lambda: plain_manifests(find_or_build(HELM))):
            for file, content in generate().items():
                if file.is_file() and file.read_text() == content:
                    continue
                stale.append(file)
                if not check:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(content)
    except (RenderError, LocalControlPlaneError) as error:
        sys.stderr.write(f"rendezvous_chart: {error}\n")
        return 2
    for file in stale:
        sys.stderr.write(f"{file.relative_to(TOP)} {'is not up to date' if check else 'written'}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
