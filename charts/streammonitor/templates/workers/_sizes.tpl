{{/* Cores that a worker plans with: as told, else its request. */}}
{{- define "streammonitor.capacity" -}}
{{- if not (kindIs "invalid" .Values.workers.capacityCores) -}}
{{ .Values.workers.capacityCores }}
{{- else -}}
{{- with dig "requests" "cpu" "" .Values.workers.resources -}}
{{ include "streammonitor.cores" . }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Seconds that Kubernetes gives a worker to end: the drain and 30 s. "90s", "2m", "1m30s". */}}
{{- define "streammonitor.graceSeconds" -}}
{{- $minutes := regexFind "[0-9]+m" .Values.workers.drain | trimSuffix "m" | int -}}
{{- $seconds := regexFind "[0-9]+s" .Values.workers.drain | trimSuffix "s" | int -}}
{{- add (mul $minutes 60) $seconds 30 -}}
{{- end -}}

{{/* How fast pods come and go, for the HPA and for KEDA's. */}}
{{- define "streammonitor.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: {{ .Values.autoscaling.scaleUp.percent }}, periodSeconds: 15}
    - {type: Pods, value: {{ .Values.autoscaling.scaleUp.pods }}, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDown.stabilizationSeconds }}
  selectPolicy: Max
  policies:
    - {type: Pods, value: {{ .Values.autoscaling.scaleDown.pods }}, periodSeconds: {{ .Values.autoscaling.scaleDown.periodSeconds }}}
{{- end -}}
