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

{{/* The rules of a role in config/rbac, so that there is one list of what the controller may do. */}}
{{- define "rollouts.rules" -}}
{{- $role := .root.Files.Get .file | fromYaml -}}
{{- toYaml $role.rules -}}
{{- end -}}
