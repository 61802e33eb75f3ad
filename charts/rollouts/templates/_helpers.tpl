{{/* Labels that Services and budgets select the pods by: never change. */}}
{{- define "rollouts.selector" -}}
app.kubernetes.io/name: rollouts
app.kubernetes.io/component: controller
{{- end -}}

{{- define "rollouts.labels" -}}
app.kubernetes.io/name: rollouts
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "rollouts.account" -}}
{{ .Values.serviceAccount.name | default "rollouts-controller" }}
{{- end -}}

{{- define "rollouts.subjects" -}}
- kind: ServiceAccount
  name: {{ include "rollouts.account" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* The rules of a role in config/rbac, so that there is one list of what the controller may do. The lease has the instance id
behind its name, where one is among the flags. */}}
{{- define "rollouts.rules" -}}
{{- $text := .root.Files.Get .file -}}
{{- range .root.Values.flags -}}
{{- if hasPrefix "--instance-id=" . -}}
{{- $text = replace "argo-rollouts-controller-lock" (printf "argo-rollouts-controller-lock-%s" (trimPrefix "--instance-id=" .)) $text -}}
{{- end -}}
{{- end -}}
{{- toYaml ($text | fromYaml).rules -}}
{{- end -}}
