# Sourced by the scripts that build with Go: go_build, which fails with what is missing; quiet and polite.
# Nothing is taken but what go.mod and go.sum of the folder name.

export GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0

go_build() { nice -n 10 go build -trimpath -buildvcs=false "$@"; }
