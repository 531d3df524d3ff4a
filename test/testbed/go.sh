# Sourced by the scripts that build with Go. Nothing is taken but what go.mod and go.sum of the folder name.

export GOFLAGS=-mod=readonly CGO_ENABLED=0

go_build() { nice -n 10 go build -trimpath -buildvcs=false "$@"; }

# A newer Go for one that cannot fetch it by itself. It is a module, checked like any other; its programs need to be made
# executable, and to be outside of the cache of modules.
fetch_go() {
  go=${TMPDIR:-/tmp}/go-$$
  module=golang.org/toolchain@v0.0.1-go1.26.8.linux-$(go env GOARCH)
  from=$(cd / && GOFLAGS= go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
  [ -n "$from" ] || die "cannot fetch Go 1.26"
  trap 'rm -rf "$go"' EXIT
  cp -r "$from" "$go"
  chmod -R u+w "$go"
  chmod +x "$go"/bin/* "$go"/pkg/tool/*/*
  PATH=$go/bin:$PATH
}

case $(go version) in *' go1.1'[0-9]* | *' go1.20'*) fetch_go ;; esac
