#!/bin/sh
# deploy.sh NAMESPACE SERVICE FOLDER   write FOLDER/coredump.yaml, for `kubectl create -f`, and the certificates that it needs
#
# NAMESPACE of all parts, SERVICE behind the aggregated API. Run again, it keeps the authorities that FOLDER has and makes
# new certificates. Nothing secret is printed; FOLDER holds keys, and so does coredump.yaml: keep both to yourself.
# Edit coredump.yaml as you need: the volumes coredump-backend (bundles; many nodes mount it) and etcd-data-dir, the images, the
# Secrets servercrt and etcd-certificates for certificates of your own (and caBundle of the APIService with them).
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
usage() { echo "usage: sh deploy.sh <namespace> <service> <out dir>" >&2; exit 1; }
die() { echo "deploy.sh: $*" >&2; exit 1; }
[ $# -eq 3 ] || usage
namespace=$1 service=$2 out=$3
for name in "$namespace" "$service"; do
  # The names of namespaces and Services (RFC 1123, RFC 1035).
  printf '%s\n' "$name" | grep -Eqx '[a-z]([-a-z0-9]{0,61}[a-z0-9])?' || { echo "deploy.sh: $name is no name" >&2; usage; }
done
command -v openssl > /dev/null || die "openssl is missing: it makes the certificates"
umask 077
mkdir -p -- "$out"

# authority NAME: a CA in NAME-ca.crt and NAME-ca.key, unless it is there.
authority() {
  [ -s "$out/$1-ca.key" ] && [ -s "$out/$1-ca.crt" ] || quietly openssl req -x509 -newkey ec -pkeyopt \
    ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$1-ca" -keyout "$out/$1-ca.key" -out "$out/$1-ca.crt"
}
# certificate NAME HOST USAGE: NAME.crt and NAME.key, signed by that authority.
certificate() {
  printf 'subjectAltName=DNS:%s,DNS:%s.cluster.local\nextendedKeyUsage=%s\n' "$2" "$2" "$3" > "$out/$1.ext"
  quietly openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
    -keyout "$out/$1.key" -out "$out/$1.csr"
  quietly openssl x509 -req -in "$out/$1.csr" -CA "$out/$1-ca.crt" -CAkey "$out/$1-ca.key" -days 3650 \
    -set_serial "0x$(openssl rand -hex 16)" -extfile "$out/$1.ext" -out "$out/$1.crt"
  rm -f "$out/$1.csr" "$out/$1.ext"
}
# openssl tells of its progress also when all is well.
quietly() { said=$("$@" 2>&1) || die "$said"; }
one_line() { base64 < "$1" | tr -d '\n'; }
# secret NAME CERTIFICATE
secret() {
  cat << YAML
---
apiVersion: v1
kind: Secret
metadata: { name: $1, namespace: $namespace, labels: { app.kubernetes.io/part-of: coredump-detector } }
type: kubernetes.io/tls
data:
  ca.crt: $(one_line "$out/$2-ca.crt")
  tls.crt: $(one_line "$out/$2.crt")
  tls.key: $(one_line "$out/$2.key")
YAML
}

authority server
certificate server "$service.$namespace.svc" serverAuth
authority etcd
certificate etcd "etcd-svc.$namespace.svc" serverAuth,clientAuth # both ends of it use this one

{
  cat << YAML
# coredump-detector for \`kubectl create -f\`; written by deploy.sh. To take it away: coredump-detector retire --namespace
# $namespace, which gives the nodes back, then \`kubectl delete -f\` this file without the CustomResourceDefinitions (records
# go with those).
apiVersion: v1
kind: Namespace
metadata:
  name: $namespace
  labels:
    app.kubernetes.io/part-of: coredump-detector
    pod-security.kubernetes.io/enforce: privileged # agents mount paths of their node
YAML
  for file in "$here"/crd/*.yaml; do echo ---; cat "$file"; done
  secret servercrt server
  secret etcd-certificates etcd
  sed -e "s/namespace-placeholder/$namespace/g" -e "s/service-placeholder/$service/g" \
    -e "s/CA-PLACEHOLDER/$(one_line "$out/server-ca.crt" | sed 's/[\/&]/\\&/g')/" "$here/deploy/coredump.yaml"
} > "$out/coredump.yaml.new"
mv "$out/coredump.yaml.new" "$out/coredump.yaml"
echo "$out/coredump.yaml is ready: kubectl create -f $out/coredump.yaml"
cat << END
It needs two things of your cluster; edit the file where they are otherwise:
  the image $(sed -n 's/.*image: "*\([^" ]*coredump-detector:[^" ]*\)"*$/\1/p' "$out/coredump.yaml" | sort -u) on every node
    (install/image/image.sh makes it; then push it, or on each node: ctr --namespace k8s.io images import FILE)
  volumes for the claims coredump-backend (10Gi, ReadWriteMany: bundles) and etcd-data-dir (2Gi), of the default StorageClass:
    kubectl get storageclass
END
