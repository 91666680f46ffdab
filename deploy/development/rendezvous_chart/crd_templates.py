"""The chart's CRD templates: the files of `crds/` behind a value, with labels and annotations, kept at uninstall, and
with the second version or without."""

from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
CRDS = TOP / "crds"
CHART = TOP / "deploy" / "helm" / "kube-rendezvous"

_HEAD = "{{- if .Values.crds.install }}\n"
_FOOT = "{{- end }}\n"
_META = "\nmetadata:\n"
_SECOND = "    - name: v1beta1\n"
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
    """One CustomResourceDefinition as a template that renders to the same, but for marks and versions.

    Raises:
        ValueError: see `crd_templates`; also: v1beta1 is not its last version.
    """
    if crd.count(_META) != 1 or f"{_META}  annotations:" in crd:
        raise ValueError("a CRD file must have one top-level `metadata:`, without annotations")
    first, second, rest = crd.replace("{{", '{{ "{{" }}').partition(_SECOND)
    if not second or "\n    - name: v" in rest:
        raise ValueError("a CRD file must end with the version v1beta1")
    marked = first.replace(_META, _META + _MARKS)
    return f"{_HEAD}{marked}{{{{- if .Values.crds.v1beta1 }}}}\n{second}{rest}{{{{- end }}}}\n{_FOOT}"
