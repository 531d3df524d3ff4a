#!/bin/sh
# build.sh FOLDER   versitygw, an S3 server, out of the Go module proxy, at the version of go.mod
set -eu
. "$(dirname -- "$0")/../lib.sh"
. "$here/../go.sh"
out=$1
cd "$here"
go_build -ldflags '-s -w' -o "$out/" github.com/versity/versitygw/cmd/versitygw
