#!/bin/sh
# build.sh FOLDER   etcd and Kubernetes's programs out of the Go module proxy, at the versions of go.mod
# Those that KUBEBUILDER_ASSETS holds (etcd, kube-apiserver, kubectl) are taken from there.
set -eu
. "$(dirname -- "$0")/../lib.sh"
. "$here/../go.sh"
out=$1 assets=${KUBEBUILDER_ASSETS:-/nonexistent}
cd "$here"

# Without these the programs call themselves v0.0.0, and clients and servers distrust one another.
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  for setting in gitVersion="$version" gitMajor=1 gitMinor="${minor%%.*}" gitTreeState=clean buildDate=1970-01-01T00:00:00Z; do
    flags="$flags -X $package.$setting"
  done
done

packages=
for command in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubectl kubelet; do
  if [ -x "$assets/$command" ]; then
    cp "$assets/$command" "$out/"
  else
    case $command in
      etcd) packages="$packages go.etcd.io/etcd/server/v3" ;;
      *) packages="$packages k8s.io/kubernetes/cmd/$command" ;;
    esac
  fi
done
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || go_build -ldflags "$flags" -o "$out/" $packages
[ ! -e "$out/server" ] || mv "$out/server" "$out/etcd"
