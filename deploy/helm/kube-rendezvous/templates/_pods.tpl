{{/* What the operator's pods and the pod of `helm test` have in common: a cluster's policies judge both. */}}

{{/* REGISTRY/REPOSITORY:TAG, REGISTRY/REPOSITORY@DIGEST, or both. A digest that was given as the tag is one. */}}
{{- define "kube-rendezvous.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default (dig "imageRegistry" "" .Values.global) $image.registry -}}
{{- $tag := ternary "" $image.tag (hasPrefix "sha256:" $image.tag) -}}
{{- $digest := default (ternary $image.tag "" (hasPrefix "sha256:" $image.tag)) $image.digest -}}
{{- if not (or $tag $digest) -}}{{- $tag = .Chart.AppVersion -}}{{- end -}}
{{- with $registry -}}{{ . | trimSuffix "/" }}/{{- end -}}
{{- $image.repository -}}
{{- with $tag -}}:{{ . }}{{- end -}}
{{- with $digest -}}@{{ . }}{{- end -}}
{{- end -}}

{{/* Names of Secrets, or `{name: …}` as pods have them, as the latter. */}}
{{- define "kube-rendezvous.secretReferences" -}}
{{- $names := list -}}
{{- range . -}}
{{- if kindIs "map" . -}}{{- $names = append $names .name -}}{{- else -}}{{- $names = append $names . -}}{{- end -}}
{{- end -}}
{{- range uniq $names }}
- name: {{ . }}
{{- end }}
{{- end -}}

{{- define "kube-rendezvous.commonPodSpec" -}}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with concat .Values.image.pullSecrets (dig "imagePullSecrets" list .Values.global) }}
imagePullSecrets:
  {{- include "kube-rendezvous.secretReferences" . | nindent 2 }}
{{- end }}
{{- with .Values.operator.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml .Values.operator.podSecurityContext | nindent 2 }}
{{- with .Values.operator.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.volumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "kube-rendezvous.commonContainer" -}}
image: {{ include "kube-rendezvous.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.operator.securityContext | nindent 2 }}
{{- with .Values.operator.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.volumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
