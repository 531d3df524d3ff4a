{{/* The API server's certificate: the Secret that is named, or the one that an earlier release made, or a new one. */}}
{{- define "coredump.apiCertificate" -}}
{{- $given := .Values.apiserver.certificateSecret }}
{{- $there := lookup "v1" "Secret" .Release.Namespace ($given | default "servercrt") }}
{{- if and $given (or .Values.apiserver.caBundle (not $there)) }}
ca: {{ .Values.apiserver.caBundle | quote }}
{{- else if $given }}
ca: {{ index $there.data "ca.crt" }}
{{- else if $there }}
ca: {{ index $there.data "ca.crt" }}
secret:
  {{- toYaml $there.data | nindent 2 }}
{{- else }}
{{- $host := printf "%s.%s.svc" .Values.apiserver.serviceName .Release.Namespace }}
{{- $ca := genCA "coredump-api-ca" 3650 }}
{{- $certificate := genSignedCert $host nil (list $host (printf "%s.cluster.local" $host)) 3650 $ca }}
ca: {{ $ca.Cert | b64enc }}
secret:
  ca.crt: {{ $ca.Cert | b64enc }}
  tls.crt: {{ $certificate.Cert | b64enc }}
  tls.key: {{ $certificate.Key | b64enc }}
{{- end }}
{{- end }}

{{/* The URLs of etcd, ours or another. */}}
{{- define "coredump.etcdServers" -}}
{{- .Values.etcd.servers | default (ternary (printf "https://etcd-svc.%s.svc:2379" .Release.Namespace) "" .Values.etcd.enabled) }}
{{- end }}

{{- define "coredump.etcdSecret" -}}
{{- .Values.etcd.certificateSecret | default (ternary "etcd-certificates" "" .Values.etcd.enabled) }}
{{- end }}
