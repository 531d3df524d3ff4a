#!/bin/sh
# build.sh FOLDER   helm, for the chart, out of the Go module proxy, at the version of go.mod
set -eu
. "$(dirname -- "$0")/../lib.sh"
. "$here/../go.sh"
out=$1
cd "$here"
version=$(go list -m -f '{{.Version}}' helm.sh/helm/v4)
go_build -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" -o "$out/" helm.sh/helm/v4/cmd/helm
