{{/*
Values of the predecessors' charts. Each is taken over, or refused with what to write instead: nobody's setting is dropped
without a word.
*/}}
{{- define "coredump.store" -}}
{{- $root := .root | default . }}
{{- $values := $root.Values }}
{{- $options := deepCopy ($values.store.options | default dict) }}
{{- $url := $values.store.url }}
{{- $daemonset := $values.daemonset | default dict }}
{{- with ($values.pvc | default dict).bucketName | default $daemonset.s3BucketName }}
{{- if and $url (ne $url (printf "s3://%s" .)) }}{{ fail (printf "store.url is %s, but pvc.bucketName or daemonset.s3BucketName says %s: give one of them" $url .) }}{{ end }}
{{- $url = printf "s3://%s" . }}
{{- end }}
{{- with $daemonset.s3Region }}{{ $_ := set $options "s3-region" . }}{{ end }}
{{- if and (hasPrefix "s3://" $url) (or $values.pvc $values.daemonset) (not (index $options "s3-endpoint")) (not (index $options "s3-region")) }}
{{- fail "store.options.s3-endpoint and store.options.s3-region are required: the platform no longer implies where the bucket is. For Amazon, the region alone: --set store.options.s3-region=eu-central-1" }}
{{- end }}
{{- toYaml (dict "url" $url "options" $options) }}
{{- end }}

{{/* "true" where a part that is wanted, or left to us (auto), can work. */}}
{{- define "coredump.wants" -}}
{{- $url := (include "coredump.store" .root | fromYaml).url }}
{{- $enabled := (index .root.Values .part).enabled | toString }}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") $url .root.Values.controller.enabled) }}true{{ end }}
{{- end }}

{{- define "coredump.credentials" -}}
{{- $pvc := .Values.pvc | default dict }}
{{- $implied := ternary "cos-write-access" "" (not (empty $pvc.bucketName)) }}
{{- .Values.store.credentialsSecret | default $pvc.bucketSecretName | default $implied }}
{{- end }}

{{- define "coredump.readerCredentials" -}}
{{- .Values.store.readerCredentialsSecret | default (include "coredump.credentials" .) }}
{{- end }}

{{/* The agent's options, with what predecessors called otherwise. */}}
{{- define "coredump.agentOptions" -}}
{{- $options := deepCopy (.Values.agent.options | default dict) }}
{{- $same := dict "crioEndpoint" "cri-endpoint" "hostContainerRuntimeEndpoint" "cri-endpoint" "logLength" "log-lines" "NS_DISK_QUOTA" "namespace-disk-quota" }}
{{- range $old, $value := merge (dict) (.Values.daemonset | default dict) (.Values.composer | default dict) }}
{{- if hasKey $same $old }}{{ $_ := set $options (index $same $old) $value }}{{ end }}
{{- end }}
{{- toYaml $options }}
{{- end }}

{{- define "coredump.replacements" -}}
s3AccessKey: keys do not belong into values; put them into a Secret with access-key and secret-key and name it in store.credentialsSecret
s3Secret: keys do not belong into values; put them into a Secret with access-key and secret-key and name it in store.credentialsSecret
interval: nothing is polled here, dumps are uploaded as they come; leave it out
schedule: nothing is polled here, dumps are uploaded as they come; leave it out
useINotify: nothing is polled here, dumps are uploaded as they come; leave it out
suidDumpable: it is always 2 while a handler is set, so that processes which changed their ids are dumped for root alone; leave it out
includeCrioExe: no crictl is needed; leave it out
deployCrioConfig: no crictl is needed; leave it out
timeout: a dump may take as long as it takes, since its container does not wait for it; leave it out
compression: bundles are always compressed, off the crash's path; leave it out
filenameTemplate: names of bundles are fixed, they are what tells whose a core is (docs/store.md); leave it out
podSelectorLabel: label pods that want no core with coredump.fujitsu.com/no-coredump=true
includeProcInfo: files of /proc are always in the bundle, without the environment; with it, agent.options.environ=true
extraEnvVars: agent.extraEnv
envFromSecret: agent.extraEnv
vendor: agent.binDir says where the handler goes (GKE's COS, /home/kubernetes/bin/coredump)
{{- end }}

{{- define "coredump.binDir" -}}
{{- (.Values.daemonset | default dict).hostDirectory | default .Values.agent.binDir }}
{{- end }}

{{- define "coredump.dumpDir" -}}
{{- (.Values.daemonset | default dict).coreDirectory | default .Values.agent.dumpDir }}
{{- end }}
