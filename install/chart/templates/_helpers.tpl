{{/* What all of our objects carry. */}}
{{- define "coredump.labels" -}}
app.kubernetes.io/part-of: coredump-detector
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* On every pod of ours: their cores hold keys and tokens, and would be Coredumps of their namespace. */}}
{{- define "coredump.optedOut" -}}
coredump.fujitsu.com/no-coredump: "true"
{{- end }}

{{- define "coredump.testName" -}}
{{- printf "%s-crash-test" .Release.Name | trunc 50 }}
{{- end }}

{{- define "coredump.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The objects of one of our files (install/rbac, install/admission), in the release's namespace instead of the one they name: .path, and .annotations for their accounts. */}}
{{- define "coredump.file" -}}
{{- $root := .root -}}
{{- range $document := regexSplit "(?m)^---\\n" ($root.Files.Get .path | replace "coredump-system" $root.Release.Namespace) -1 }}
{{- $object := fromYaml $document }}
{{- with $object.Error }}{{ fail (printf "%s: %s" $.path .) }}{{ end }}
{{- if and $object (ne $object.kind "Namespace") }}
{{- if and (eq $object.kind "ServiceAccount") $.annotations }}{{ $_ := set $object.metadata "annotations" $.annotations }}{{ end }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}

{{/* Flags out of a map: --flag=value, in the order of their names. */}}
{{- define "coredump.flags" -}}
{{- range $flag, $value := . }}
{{- if not (kindIs "invalid" $value) }}
- {{ printf "--%s=%v" $flag (ternary (int64 $value) $value (kindIs "float64" $value)) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where bundles are, for whoever writes or reads them. */}}
{{- define "coredump.storeFlags" -}}
{{- $store := include "coredump.store" . | fromYaml }}
{{- if $store.url }}
- {{ printf "--store=%s" $store.url | quote }}
{{- if .credentials }}
- --s3-credentials-dir=/credentials
{{- end }}
{{- include "coredump.flags" (ternary (pick $store.options "s3-endpoint" "s3-region" "s3-path-style" "s3-ca-file") $store.options (hasKey . "reader")) }}
{{- end }}
{{- end }}

{{/* What the pods mount for a directory. */}}
{{- define "coredump.storeVolume" -}}
{{- if .Values.store.volume }}{{ toYaml .Values.store.volume }}
{{- else if .Values.store.claim.size }}{{ toYaml (dict "persistentVolumeClaim" (dict "claimName" "coredump-backend")) }}
{{- end }}
{{- end }}

{{- define "coredump.storeMounts" -}}
{{- if include "coredump.storeVolume" .root }}
- { name: coredump-backend, mountPath: {{ .root.Values.store.url | quote }} }
{{- end }}
{{- if .credentials }}
- { name: credentials, mountPath: /credentials, readOnly: true }
{{- end }}
{{- end }}

{{- define "coredump.storeVolumes" -}}
{{- with include "coredump.storeVolume" .root }}
- name: coredump-backend
  {{- . | nindent 2 }}
{{- end }}
{{- with .credentials }}
- { name: credentials, secret: { secretName: {{ . | quote }}, defaultMode: 0400 } }
{{- end }}
{{- end }}

{{/* What a pod's spec takes from a part's values. */}}
{{- define "coredump.placement" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $.part $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "coredump.podMetadata" -}}
labels:
  app.kubernetes.io/name: {{ .name }}
  app.kubernetes.io/instance: {{ .root.Release.Name }}
  {{- include "coredump.labels" .root | nindent 2 }}
  {{- include "coredump.optedOut" .root | fromYaml | merge (.part.podLabels | default dict | deepCopy) | toYaml | nindent 2 }}
{{- with .part.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "coredump.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* A part that runs in the cluster and needs nothing of its node: .name .part .replicas .args; .ports .mounts .volumes .strategy as YAML. */}}
{{- define "coredump.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    app.kubernetes.io/name: {{ .name }}
    {{- include "coredump.labels" .root | nindent 4 }}
spec:
  replicas: {{ .replicas }}
  {{- with .strategy }}
  strategy: { type: {{ . }} }
  {{- end }}
  selector:
    matchLabels:
      {{- include "coredump.selector" . | nindent 6 }}
  template:
    metadata:
      {{- include "coredump.podMetadata" . | nindent 6 }}
    spec:
      serviceAccountName: {{ .name }}
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        fsGroup: 65532
        seccompProfile: { type: RuntimeDefault }
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "coredump.selector" . | nindent 14 }}
      {{- include "coredump.placement" . | nindent 6 }}
      containers:
        - name: {{ .name }}
          image: {{ include "coredump.image" .root | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args:
            {{- .args | nindent 12 }}
            {{- include "coredump.flags" .part.options | nindent 12 }}
          env:
            - { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
            {{- with .part.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            {{- .ports | nindent 12 }}
          {{- .probes | nindent 10 }}
          resources:
            {{- toYaml .part.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
          {{- with .mounts }}
          volumeMounts:
            {{- . | nindent 12 }}
          {{- end }}
      {{- with .volumes }}
      volumes:
        {{- . | nindent 8 }}
      {{- end }}
{{- end }}

{{/* At least one stays where there are several. */}}
{{- define "coredump.budget" -}}
{{- if gt (int .replicas) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "coredump.labels" .root | nindent 4 }}
spec:
  minAvailable: 1
  selector:
    matchLabels:
      {{- include "coredump.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{- define "coredump.healthProbes" -}}
livenessProbe: { httpGet: { path: /healthz, port: health }, periodSeconds: 20, timeoutSeconds: 5 }
readinessProbe: { httpGet: { path: /readyz, port: health }, periodSeconds: 10, timeoutSeconds: 5 }
{{- end }}
