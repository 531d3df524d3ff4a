{{/* The API server's own: where its certificate, its objects and the bundles are. */}}
{{- define "coredump.apiArgs" }}
- apiserver
- --tls-cert-file=/certificate/tls.crt
- --tls-private-key-file=/certificate/tls.key
{{- with .Values.etcd.servers }}
- {{ printf "--etcd-servers=%s" . | quote }}
{{- if $.Values.etcd.certificateSecret }}
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
{{- if and .Values.etcd.servers .Values.etcd.certificateSecret }}
- { name: etcd, mountPath: /etcd, readOnly: true }
{{- else if not .Values.etcd.servers }}
- { name: data, mountPath: /data }
{{- end }}
{{- include "coredump.storeMounts" (dict "root" . "credentials" (include "coredump.readerCredentials" .) "reader" true) }}
{{- end }}
{{- define "coredump.apiVolumes" }}
- { name: certificate, secret: { secretName: {{ .Values.apiserver.certificateSecret | default "servercrt" }}, defaultMode: 0440 } }
{{- if and .Values.etcd.servers .Values.etcd.certificateSecret }}
- { name: etcd, secret: { secretName: {{ .Values.etcd.certificateSecret }}, defaultMode: 0440 } }
{{- else if not .Values.etcd.servers }}
- { name: data, persistentVolumeClaim: { claimName: coredump-api } }
{{- end }}
{{- include "coredump.storeVolumes" (dict "root" . "credentials" (include "coredump.readerCredentials" .) "reader" true) }}
{{- end }}
{{- define "coredump.apiProbes" }}
livenessProbe: { httpGet: { path: /livez, port: https, scheme: HTTPS }, periodSeconds: 20, timeoutSeconds: 5 }
readinessProbe: { httpGet: { path: /readyz, port: https, scheme: HTTPS }, periodSeconds: 5, timeoutSeconds: 5 }
{{- end }}
