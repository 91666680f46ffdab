{{- define "kube-rendezvous.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "kube-rendezvous.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "kube-rendezvous.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "kube-rendezvous.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kube-rendezvous.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Objects without a namespace: several releases that serve some namespaces each must not share them. */}}
{{- define "kube-rendezvous.clusterName" -}}
{{- if .Values.watchNamespaces -}}
{{- printf "%s-%s" (include "kube-rendezvous.namespace" .) (include "kube-rendezvous.fullname" .) -}}
{{- else -}}
{{- include "kube-rendezvous.fullname" . -}}
{{- end -}}
{{- end -}}

{{- define "kube-rendezvous.serviceAccountName" -}}
{{- default (include "kube-rendezvous.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "kube-rendezvous.serviceAccountUser" -}}
{{- printf "system:serviceaccount:%s:%s" (include "kube-rendezvous.namespace" .) (include "kube-rendezvous.serviceAccountName" .) -}}
{{- end -}}

{{/* Where `helm test` makes its Rendezvous: one that the operator serves. */}}
{{- define "kube-rendezvous.testNamespace" -}}
{{- if .Values.watchNamespaces -}}{{- first .Values.watchNamespaces -}}{{- else -}}{{- include "kube-rendezvous.namespace" . -}}{{- end -}}
{{- end -}}

{{- define "kube-rendezvous.selector" -}}
app.kubernetes.io/name: {{ include "kube-rendezvous.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "kube-rendezvous.labels" -}}
app.kubernetes.io/name: {{ include "kube-rendezvous.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* `labels:` and `annotations:` of an object. Takes a dict with root and, where there are any, labels and annotations
     of that object's values, and own: labels that nobody can change. */}}
{{- define "kube-rendezvous.labelsAndAnnotations" -}}
{{- $values := .root.Values -}}
{{- $chart := include "kube-rendezvous.labels" .root | fromYaml -}}
labels:
  {{- mergeOverwrite dict $values.commonLabels (default dict .labels) $chart (default dict .own) | toYaml | nindent 2 }}
{{- with mergeOverwrite dict $values.commonAnnotations (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
