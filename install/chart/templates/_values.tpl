{{/*
Values that cannot be meant, a line for each: key, value, what is expected. What form a value has is declared with the options
(files/values.json is generated); the schema has seen types and unknown keys before.
*/}}
{{- define "coredump.wrongValues" -}}
{{- $forms := .Files.Get "files/values.json" | fromJson }}
{{- range $path, $kind := $forms.values }}
{{- $found := dict "value" $.Values }}
{{- range $key := splitList "." $path }}
{{- $_ := set $found "value" (ternary (index ($found.value | default dict) $key) nil (kindIs "map" $found.value)) }}
{{- end }}
{{- if and (eq $kind "store") (index ($.Values.store.options | default dict) "s3-path-style") }}{{ $kind = "storeInPath" }}{{ end }}
{{- include "coredump.wrongValue" (dict "path" $path "value" $found.value "form" (get $forms.kinds $kind)) }}
{{- end }}
{{- range $namespace, $hard := .Values.quotas }}
{{- include "coredump.wrongValue" (dict "path" (printf "quotas.%s" $namespace) "value" $hard "form" $forms.kinds.quantity) }}
{{- end }}
{{- $known := dict
  "pvc" (list "bucketName" "bucketSecretName")
  "daemonset" (list "crioEndpoint" "hostContainerRuntimeEndpoint" "logLength" "NS_DISK_QUOTA" "s3BucketName" "s3Region" "hostDirectory" "coreDirectory")
  "composer" (list "crioEndpoint" "hostContainerRuntimeEndpoint" "logLength" "NS_DISK_QUOTA") }}
{{- range $part, $keys := $known }}
{{- range $key, $value := index $.Values $part }}
{{- if not (has $key $keys) }}
{{- $instead := index (include "coredump.replacements" $ | fromYaml) $key }}
{{- if $instead }}
{{ printf "%s.%s is a value of another chart: %s" $part $key $instead }}
{{- else }}
{{ printf "%s.%s is unknown: expected one of %s, or this chart's own values (helm show values)" $part $key (join ", " $keys) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "coredump.wrongValue" -}}
{{- $text := toString .value }}
{{- if kindIs "float64" .value }}{{ $text = printf "%.0f" .value }}{{ end }}
{{- $isSaid := not (or (kindIs "invalid" .value) (and (eq $text "") .form.optional)) }}
{{- if and $isSaid (or (not (regexMatch .form.pattern $text)) (and .form.but (regexMatch .form.but $text))) }}
{{ printf "%s is %q: expected %s" .path $text .form.expected }}
{{- end }}
{{- end }}
