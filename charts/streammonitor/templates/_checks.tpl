{{/*
Values that contradict each other, or the cluster: said with the remedy, before anything is made.
What is wrong by itself (types, ranges, unknown names) is for values.schema.json.
*/}}
{{- define "streammonitor.checks" -}}
{{- $scaling := .Values.autoscaling -}}
{{- $scaled := ne $scaling.metric "none" -}}
{{- if and $scaled (not (kindIs "invalid" .Values.workers.replicas)) -}}
{{- fail (printf "workers.replicas: the autoscaler (autoscaling.metric: %s) says how many workers there are; remove workers.replicas, or set autoscaling.metric: none" $scaling.metric) -}}
{{- end -}}
{{- if and $scaled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas: %d is more than autoscaling.maxReplicas, %d; lower it, or raise maxReplicas" (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if and (eq $scaling.metric "demand") (not (.Capabilities.APIVersions.Has "keda.sh/v1alpha1")) -}}
{{- fail "autoscaling.metric: demand needs KEDA, which this cluster does not have (no API keda.sh/v1alpha1); install KEDA, or set autoscaling.metric: cpu. For helm template add --api-versions keda.sh/v1alpha1" -}}
{{- end -}}
{{- if and (eq $scaling.metric "cpu") (not (dig "requests" "cpu" "" .Values.workers.resources)) -}}
{{- fail "workers.resources.requests.cpu: not given, and the autoscaler measures CPU against it; write a number of cores such as 2, or set autoscaling.metric: demand" -}}
{{- end -}}
{{- $external := .Values.redis.external -}}
{{- if and (not .Values.redis.enabled) (not $external.url) -}}
{{- fail "redis.external.url: not given, and redis.enabled is false; write the URL of your Redis such as redis://redis.data:6379/0, or set redis.enabled: true" -}}
{{- end -}}
{{- if and .Values.redis.enabled $external.url -}}
{{- fail "redis.external.url: given, but redis.enabled is true and starts another Redis; set redis.enabled: false, or remove the URL" -}}
{{- end -}}
{{- if and $external.tlsSecret (not (hasPrefix "rediss" $external.url)) -}}
{{- fail "redis.external.tlsSecret: given, but redis.external.url is one without TLS; begin it with rediss:// (rediss-sentinel://, rediss-cluster://), or remove the Secret" -}}
{{- end -}}
{{- if and $external.clientCertificate (not $external.tlsSecret) -}}
{{- fail "redis.external.clientCertificate: true, but there is no redis.external.tlsSecret to take it from; name the Secret with ca.crt, tls.crt and tls.key" -}}
{{- end -}}
{{- if and .Values.operator.namespaces (eq (include "streammonitor.watchNodes" .) "true") -}}
{{- fail "operator.watchNodes: nodes belong to the whole cluster, and operator.namespaces limits the operator to some namespaces; set operator.watchNodes: false, or remove operator.namespaces" -}}
{{- end -}}
{{- if not (or .Values.operator.serviceAccount.create .Values.operator.serviceAccount.name) -}}
{{- fail "operator.serviceAccount.name: not given, and operator.serviceAccount.create is false; the operator needs an account with rights: name one, or set create: true" -}}
{{- end -}}
{{- if and (or .Values.monitoring.podMonitor.enabled .Values.monitoring.rules.enabled) (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
{{- fail "monitoring.podMonitor.enabled, monitoring.rules.enabled: they need the Prometheus Operator, which this cluster does not have (no API monitoring.coreos.com/v1); install it, or set both to false. For helm template add --api-versions monitoring.coreos.com/v1" -}}
{{- end -}}
{{- end -}}
