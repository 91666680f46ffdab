"""The chart's CRD templates: the files of `crds/` behind a value, with labels and annotations, kept at uninstall, and
serving the versions that are wanted."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
CRDS = TOP / "crds"
CHART = TOP / "deploy" / "helm" / "kube-rendezvous"

_HEAD = "{{- if .Values.crds.install }}\n"
_FOOT = "{{- end }}\n"
_META = "\nmetadata:\n"
_SERVED = re.compile(r"^(    - name: (\w+)\n      served: )true$", re.MULTILINE)
_MARKS = """\
  {{- $keep := ternary (dict "helm.sh/resource-policy" "keep") dict .Values.crds.keep }}
  {{- with mergeOverwrite dict .Values.commonAnnotations .Values.crds.annotations $keep }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.commonLabels }}
  labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
"""


def crd_templates() -> dict[Path, str]:
    """What each file of `templates/crds/` must hold.

    Raises:
        ValueError: a CRD has annotations of its own, or not exactly one `metadata:`.
    """
    return {
        CHART / "templates" / "crds" / file.name: crd_template(file.read_text()) for file in sorted(CRDS.glob("*.yaml"))
    }


def crd_template(crd: str) -> str:
    """One CustomResourceDefinition as a template that renders to the same, but for labels, annotations and what is served.

    Raises:
        ValueError: see `crd_templates`; also: it has a version that is not served.
    """
    if crd.count(_META) != 1 or f"{_META}  annotations:" in crd:
        raise ValueError("a CRD file must have one top-level `metadata:`, without annotations")
    escaped, versions = _SERVED.subn(
        r'\1{{ has "\2" .Values.crds.servedVersions }}', crd.replace("{{", '{{ "{{" }}')
    )
    if versions != crd.count("\n      served: "):
        raise ValueError("each version in a CRD file must have `served: true` right after its name")
    return _HEAD + escaped.replace(_META, _META + _MARKS) + _FOOT
