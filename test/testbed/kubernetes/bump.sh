#!/bin/sh
# bump.sh VERSION   write go.mod and go.sum for that release of Kubernetes (1.36.3) and the etcd that it is tested against
#
# k8s.io/kubernetes takes its libraries from folders of its own repository, which its module does not carry; the same code
# is published as k8s.io/NAME v0.MINOR.PATCH. Not every release's modules can be had: try before you commit.
set -eu
version=${1:?usage: bump.sh VERSION}
cd -- "$(dirname -- "$0")"
export GOTOOLCHAIN=local GOFLAGS=
upstream=$(cd / && go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"GoMod": "\(.*\)",*/\1/p')
rm -f go.mod go.sum
go mod init testbed.invalid/kubernetes
go mod edit -go="$(sed -n 's/^go //p' "$upstream")" -godebug="$(sed -n 's/^godebug //p' "$upstream")" \
  -require="k8s.io/kubernetes@v$version" -tool=go.etcd.io/etcd/server/v3
for command in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubectl kubelet; do
  go mod edit -tool="k8s.io/kubernetes/cmd/$command"
done
for library in $(sed -n 's,.* => ./staging/src/\(k8s.io/.*\),\1,p' "$upstream"); do
  case $library in
    k8s.io/sample-*) ;; # of no command
    *) go mod edit -replace="$library=$library@v0.${version#1.}" ;;
  esac
done
go mod tidy
