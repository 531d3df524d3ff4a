{{/*
A Job of helm's with an account of its own, all gone when it has done its work: .name .when .args, .rules in the cluster,
.workSeconds that the work may take. helm waits for it, so it ends in any case: a pod that does not start
(an image that cannot be pulled) fails after hooks.startTimeout, and stays, so that its events say why; helm says only that it failed.
*/}}
{{- define "coredump.hook" -}}
{{- $root := .root }}
{{- $namespace := .root.Release.Namespace }}
{{- $early := dict "root" .root "name" .name "when" .when "weight" "-2" }}
{{- $seconds := add .workSeconds (include "coredump.seconds" .root.Values.hooks.startTimeout) }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  namespace: {{ $namespace }}
  {{- include "coredump.hookMetadata" $early | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  {{- include "coredump.hookMetadata" $early | nindent 2 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  {{- include "coredump.hookMetadata" $early | nindent 2 }}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ .name }} }
subjects: [{ kind: ServiceAccount, name: {{ .name }}, namespace: {{ $namespace }} }]
---
apiVersion: batch/v1
kind: Job
metadata:
  namespace: {{ $namespace }}
  {{- include "coredump.hookMetadata" (merge (dict "weight" "-1") $early) | nindent 2 }}
spec:
  backoffLimit: 2
  # A little more than the pod's: the first of them is then still there to be asked, and no second one has begun.
  activeDeadlineSeconds: {{ add $seconds 8 }}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ .name }}
        {{- include "coredump.labels" $root | nindent 8 }}
        {{- include "coredump.optedOut" $root | nindent 8 }}
    spec:
      serviceAccountName: {{ .name }}
      restartPolicy: Never
      activeDeadlineSeconds: {{ $seconds }}
      enableServiceLinks: false
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: RuntimeDefault } }
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      tolerations: [{ operator: Exists }]
      containers:
        - name: {{ .name }}
          image: {{ include "coredump.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
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
  helm.sh/hook-delete-policy: {{ .deleted | default "before-hook-creation,hook-succeeded" }}
  helm.sh/hook-output-log-policy: hook-succeeded,hook-failed
{{- end }}

{{/* A duration such as 1m30s in seconds. The schema has seen that it is one. */}}
{{- define "coredump.seconds" -}}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+(ms|[dhms])?" (toString .) -1 }}
{{- $number := regexFind "[0-9]+" . | atoi }}
{{- if not (hasSuffix "ms" .) }}
{{- $sum = add $sum (mul $number (get (dict "d" 86400 "h" 3600 "m" 60 "s" 1 "" 1) (regexFind "[dhms]?$" .))) }}
{{- end }}
{{- end }}
{{- $sum }}
{{- end }}

{{/*
Whether the cluster's definitions are other ones than ours, or gone: then the hook puts them in. At the first installation helm does that
itself, out of crds/, with no image needed. (helm upgrades none.)
*/}}
{{- define "coredump.crdsDiffer" -}}
{{- range $path, $_ := .Files.Glob "files/crd/*.yaml" }}
{{- $ours := $.Files.Get $path | fromYaml }}
{{- $there := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" $ours.metadata.name }}
{{- if not $there }}
{{- if $.Release.IsUpgrade }}gone{{ end }}
{{- else if ne (include "coredump.crdVersions" $ours) (include "coredump.crdVersions" $there) }}other{{ end }}
{{- end }}
{{- end }}

{{- define "coredump.crdVersions" -}}
{{- range .spec.versions }}
{{- pick . "name" "served" "storage" "schema" "subresources" "additionalPrinterColumns" "selectableFields" | toJson }}
{{- end }}
{{- end }}
