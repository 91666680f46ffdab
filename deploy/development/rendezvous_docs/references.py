"""Which pages are generated, and from what."""

import json
from pathlib import Path

import yaml

from rendezvous_docs.benchmark_page import benchmark_page
from rendezvous_docs.crd_reference import crd_reference
from rendezvous_docs.metrics_reference import metrics_reference
from rendezvous_docs.support_table import support_table
from rendezvous_docs.values_reference import values_reference
from rendezvous_matrix.cells import all_cells
from rendezvous_matrix.outcomes import read_results

TOP = Path(__file__).resolve().parents[3]
DOCS = TOP / "docs"
CHART = TOP / "deploy" / "helm" / "kube-rendezvous"


def references() -> dict[Path, str]:
    """What each generated page that lies in the repository must hold.

    The page of the command lines is not among them: argparse writes it otherwise with each version of Python, so that
    it is made when the site is built. The Python reference is, too.
    """
    crds = [yaml.safe_load(file.read_text()) for file in sorted((TOP / "crds").glob("*.yaml"))]
    return {
        DOCS / "reference" / "api.md": crd_reference(crds),
        DOCS / "reference" / "chart.md": values_reference((CHART / "values.yaml").read_text()),
        DOCS / "reference" / "metrics.md": metrics_reference(
            (CHART / "templates" / "prometheus-rule.yaml").read_text()
        ),
        DOCS / "reference" / "benchmarks.md": benchmark_page(
            {file.stem: json.loads(file.read_text()) for file in (DOCS / "bench").glob("*.json")}
        ),
        DOCS / "reference" / "support.md": support_table(read_results(), all_cells()),
    }


def _template(name: str) -> str:
    return (CHART / "templates" / name).read_text()
