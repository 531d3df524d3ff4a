{{/* A Job of helm's with an account of its own, both gone when it has done its work: .name .when .args .rules */}}
{{- define "coredump.hook" -}}
{{- $metadata := dict "root" .root "name" .name "when" .when }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  namespace: {{ .root.Release.Namespace }}
  {{- include "coredump.hookMetadata" (merge (dict "weight" "-2") $metadata) | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  {{- include "coredump.hookMetadata" (merge (dict "weight" "-2") $metadata) | nindent 2 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  {{- include "coredump.hookMetadata" (merge (dict "weight" "-2") $metadata) | nindent 2 }}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ .name }} }
subjects: [{ kind: ServiceAccount, name: {{ .name }}, namespace: {{ .root.Release.Namespace }} }]
---
apiVersion: batch/v1
kind: Job
metadata:
  namespace: {{ .root.Release.Namespace }}
  {{- include "coredump.hookMetadata" (merge (dict "weight" "-1") $metadata) | nindent 2 }}
spec:
  backoffLimit: 3
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ .name }}
        {{- include "coredump.labels" .root | nindent 8 }}
    spec:
      serviceAccountName: {{ .name }}
      restartPolicy: Never
      enableServiceLinks: false
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: RuntimeDefault } }
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      tolerations: [{ operator: Exists }]
      containers:
        - name: {{ .name }}
          image: {{ include "coredump.image" .root | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args:
            {{- .args | nindent 12 }}
          env:
            - { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
{{- end }}

{{- define "coredump.hookMetadata" -}}
name: {{ .name }}
labels:
  {{- include "coredump.labels" .root | nindent 2 }}
annotations:
  helm.sh/hook: {{ .when }}
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  helm.sh/hook-output-log-policy: hook-succeeded,hook-failed
{{- end }}
