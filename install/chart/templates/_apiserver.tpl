{{/* The API server's own: where its certificate, its objects and the bundles are. */}}
{{- define "coredump.apiArgs" }}
- apiserver
- --tls-cert-file=/certificate/tls.crt
- --tls-private-key-file=/certificate/tls.key
{{- with (include "coredump.etcdServers" .) }}
- {{ printf "--etcd-servers=%s" . | quote }}
{{- if include "coredump.etcdSecret" $ }}
- --etcd-cafile=/etcd/ca.crt
- --etcd-certfile=/etcd/tls.crt
- --etcd-keyfile=/etcd/tls.key
{{- end }}
{{- else }}
- --database=/data/apiserver.db
{{- end }}
{{- include "coredump.storeFlags" (dict "root" . "credentials" (include "coredump.readerCredentials" .) "reader" true) }}
{{- end }}
{{- define "coredump.apiMounts" }}
- { name: certificate, mountPath: /certificate, readOnly: true }
{{- if include "coredump.etcdSecret" . }}
- { name: etcd, mountPath: /etcd, readOnly: true }
{{- else if not (include "coredump.etcdServers" .) }}
- { name: data, mountPath: /data }
{{- end }}
{{- include "coredump.storeMounts" (dict "root" . "credentials" (include "coredump.readerCredentials" .) "reader" true) }}
{{- end }}
{{- define "coredump.apiVolumes" }}
- { name: certificate, secret: { secretName: {{ .Values.apiserver.certificateSecret | default "servercrt" }}, defaultMode: 0440 } }
{{- if include "coredump.etcdSecret" . }}
- { name: etcd, secret: { secretName: {{ include "coredump.etcdSecret" . }}, defaultMode: 0440 } }
{{- else if not (include "coredump.etcdServers" .) }}
- { name: data, {{ ternary "persistentVolumeClaim: { claimName: coredump-api }" "emptyDir: { sizeLimit: 1Gi }" (ne "" (include "coredump.databaseSize" .)) }} }
{{- end }}
{{- include "coredump.storeVolumes" (dict "root" . "credentials" (include "coredump.readerCredentials" .) "reader" true) }}
{{- end }}
{{- define "coredump.apiProbes" }}
livenessProbe: { httpGet: { path: /livez, port: https, scheme: HTTPS }, periodSeconds: 20, timeoutSeconds: 5 }
readinessProbe: { httpGet: { path: /readyz, port: https, scheme: HTTPS }, periodSeconds: 5, timeoutSeconds: 5 }
{{- end }}

{{/* Of the claim for the database; empty where there is none. One that is there stays: endpoints are in it. */}}
{{- define "coredump.databaseSize" -}}
{{- with .Values.apiserver.database.size }}{{ . }}
{{- else }}
{{- with lookup "v1" "PersistentVolumeClaim" .Release.Namespace "coredump-api" }}{{ .spec.resources.requests.storage }}{{ end }}
{{- end }}
{{- end }}
