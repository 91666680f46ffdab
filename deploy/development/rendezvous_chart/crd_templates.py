"""The chart's CRD templates: the files of `crds/` behind a value, with labels and annotations, kept at uninstall."""

from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
CRDS = TOP / "crds"
CHART = TOP / "deploy" / "helm" / "kube-rendezvous"

_HEAD = "{{- if .Values.crds.install }}\n"
_FOOT = "{{- end }}\n"
_META = "\nmetadata:\n"
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
    """One CustomResourceDefinition as a template that renders to the same, but for labels and annotations.

    Raises:
        ValueError: see `crd_templates`.
    """
    if crd.count(_META) != 1 or f"{_META}  annotations:" in crd:
        raise ValueError("a CRD file must have one top-level `metadata:`, without annotations")
    escaped = crd.replace("{{", '{{ "{{" }}')
    return _HEAD + escaped.replace(_META, _META + _MARKS) + _FOOT
