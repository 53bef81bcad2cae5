{{/* Names, labels and other pieces that several objects share. */}}

{{- define "streammonitor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "streammonitor.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "streammonitor.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "streammonitor.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What chooses pods; never changes. Takes (dict "root" $ "component" "worker"). */}}
{{- define "streammonitor.selector" -}}
app.kubernetes.io/name: streammonitor
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "streammonitor.labels" -}}
{{ include "streammonitor.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: streammonitor
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of pods: not the chart's version, which would start them anew for nothing. */}}
{{- define "streammonitor.podLabels" -}}
{{ include "streammonitor.selector" . }}
app.kubernetes.io/part-of: streammonitor
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes the values of an image and the tag where they have none. */}}
{{- define "streammonitor.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .tag .image.tag }}
{{- end -}}
{{- end -}}

{{- define "streammonitor.operator.account" -}}
{{- $own := ternary (printf "%s-operator" (include "streammonitor.fullname" .)) "default" .Values.operator.serviceAccount.create -}}
{{- default $own .Values.operator.serviceAccount.name -}}
{{- end -}}

{{- define "streammonitor.workers.account" -}}
{{- $own := ternary (printf "%s-worker" (include "streammonitor.fullname" .)) "default" .Values.workers.serviceAccount.create -}}
{{- default $own .Values.workers.serviceAccount.name -}}
{{- end -}}

{{- define "streammonitor.priorityClassName" -}}
{{- if .own -}}
{{ .own }}
{{- else if .root.Values.priorityClass.create -}}
{{ include "streammonitor.fullname" .root }}
{{- end -}}
{{- end -}}

{{- define "streammonitor.watchNodes" -}}
{{- if kindIs "invalid" .Values.operator.watchNodes -}}
{{- empty .Values.operator.namespaces -}}
{{- else -}}
{{- .Values.operator.watchNodes -}}
{{- end -}}
{{- end -}}

{{- define "streammonitor.fleetKeySecret" -}}
{{- default (printf "%s-fleet-key" (include "streammonitor.fullname" .)) .Values.fleetKey.existingSecret -}}
{{- end -}}

{{- define "streammonitor.redisSecret" -}}
{{- if .Values.redis.enabled -}}
{{- default (printf "%s-redis" (include "streammonitor.fullname" .)) .Values.redis.existingSecret -}}
{{- else -}}
{{- .Values.redis.external.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "streammonitor.redisUrl" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "streammonitor.fullname" . }}-redis:6379/0
{{- else -}}
{{ .Values.redis.external.url }}
{{- end -}}
{{- end -}}

{{/* A quantity of CPU as cores: "1500m" is 1.5. */}}
{{- define "streammonitor.cores" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}
{{- divf (trimSuffix "m" $text | float64) 1000.0 -}}
{{- else -}}
{{- $text -}}
{{- end -}}
{{- end -}}

{{/* Variables of operator and workers: the fleet, its Redis, its key. */}}
{{- define "streammonitor.env" -}}
- name: STREAMMONITOR_FLEET
  value: {{ .Values.fleet | quote }}
- name: STREAMMONITOR_FLEET_KEY_FILE
  value: /etc/streammonitor/fleet-key/key
- name: STREAMMONITOR_POD
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: STREAMMONITOR_REDIS_URL
  value: {{ include "streammonitor.redisUrl" . | quote }}
{{- if .Values.redis.enabled }}
- name: STREAMMONITOR_REDIS_PASSWORD_FILE
  value: /etc/streammonitor/redis/password
{{- else }}
{{- with .Values.redis.external.existingSecret }}
{{- range $name, $key := dict "USERNAME" "username" "PASSWORD" "password" "SENTINEL_USERNAME" "sentinel-username" "SENTINEL_PASSWORD" "sentinel-password" }}
- name: STREAMMONITOR_REDIS_{{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.redis.external.existingSecret }}, key: {{ $key }}, optional: {{ ne $key "password" }}}}
{{- end }}
{{- end }}
{{- if .Values.redis.external.tlsSecret }}
- name: STREAMMONITOR_REDIS_CA_FILE
  value: /etc/streammonitor/redis-tls/ca.crt
{{- if .Values.redis.external.clientCertificate }}
- name: STREAMMONITOR_REDIS_CERT_FILE
  value: /etc/streammonitor/redis-tls/tls.crt
- name: STREAMMONITOR_REDIS_KEY_FILE
  value: /etc/streammonitor/redis-tls/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "streammonitor.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: fleet-key, mountPath: /etc/streammonitor/fleet-key, readOnly: true}
{{- if .Values.redis.enabled }}
- {name: redis, mountPath: /etc/streammonitor/redis, readOnly: true}
{{- else if .Values.redis.external.tlsSecret }}
- {name: redis-tls, mountPath: /etc/streammonitor/redis-tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "streammonitor.volumes" -}}
- name: tmp
  emptyDir: {}
- name: fleet-key
  secret: {secretName: {{ include "streammonitor.fleetKeySecret" . }}, items: [{key: key, path: key}]}
{{- if .Values.redis.enabled }}
- name: redis
  secret: {secretName: {{ include "streammonitor.redisSecret" . }}, items: [{key: password, path: password}]}
{{- else if .Values.redis.external.tlsSecret }}
- name: redis-tls
  secret: {secretName: {{ .Values.redis.external.tlsSecret }}}
{{- end }}
{{- end -}}

{{/* Pod Security "restricted", and a root file system that cannot be written to. */}}
{{- define "streammonitor.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "streammonitor.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Ports of a Redis that is not ours: those of its URL, and those that the values name. */}}
{{- define "streammonitor.redisPorts" -}}
{{- $ports := .Values.networkPolicy.redisPorts -}}
{{- range regexFindAll ":[0-9]{1,5}" (regexReplaceAll "^[a-z-]+://([^/@]*@)?" .Values.redis.external.url "") -1 -}}
{{- $ports = append $ports (trimPrefix ":" . | atoi) -}}
{{- end -}}
{{- range $ports | uniq }}
- {protocol: TCP, port: {{ . }}}
{{- end }}
{{- end -}}

{{/* Egress to Redis and to the resolver, which all need. */}}
{{- define "streammonitor.egressBasics" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- if .Values.redis.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "streammonitor.selector" (dict "root" . "component" "redis") | nindent 10 }}
  ports:
    - {protocol: TCP, port: 6379}
{{- else }}
- ports:
    {{- include "streammonitor.redisPorts" . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* A Secret's value as it is in the cluster, else a new one. Takes root, name, key, new. */}}
{{- define "streammonitor.kept" -}}
{{- $there := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- $data := dict -}}
{{- if $there -}}
{{- $data = default dict $there.data -}}
{{- end -}}
{{- default (b64enc .new) (get $data .key) -}}
{{- end -}}

{{/* What a pod bears: what is given, and a node that does not answer for so long. Takes the values of
     its part. Kubernetes notices such a node after 40 to 50 s; its own default is 300 s more. */}}
{{- define "streammonitor.tolerations" -}}
{{- with .tolerations }}
{{- toYaml . }}
{{ end -}}
{{- range list "not-ready" "unreachable" -}}
- {key: node.kubernetes.io/{{ . }}, operator: Exists, effect: NoExecute, tolerationSeconds: {{ $.nodeLostSeconds }}}
{{ end -}}
{{- end -}}
