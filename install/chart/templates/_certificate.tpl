{{/* The API server's certificate: the Secret that is named, or the one that an earlier release made, or a new one. */}}
{{- define "coredump.apiCertificate" -}}
{{- $given := .Values.apiserver.certificateSecret }}
{{- $there := lookup "v1" "Secret" .Release.Namespace ($given | default "servercrt") }}
{{- if and $given (not $there) }}
ca: ""
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
