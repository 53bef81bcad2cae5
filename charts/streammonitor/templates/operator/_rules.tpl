{{/* What the operator may do where the StreamMonitors are; the same as in manifests/rbac.yaml. */}}
{{- define "streammonitor.operator.rules" -}}
- apiGroups: [streammonitor.dev]
  resources: [streammonitors]
  verbs: [list, watch]
- apiGroups: [streammonitor.dev]
  resources: [streammonitors/status]
  verbs: [patch]
# By name, those that monitors refer to. It cannot list them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}
