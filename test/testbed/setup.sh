#!/bin/sh
# testbed setup [cluster|corpus]: see `testbed help`. Each part is made once for the same inputs: scripts, sources, tools.
set -eu
. "$(dirname -- "$0")/lib.sh"
[ "$(id -u)" = 0 ] || die "setup needs root: it installs packages, and its engines and crashes are real"

# command:package pairs; only packages whose command is missing are installed
tools="gcc:gcc gdb:gdb debootstrap:debootstrap flock:util-linux ip:iproute2 xz:xz-utils zstd:zstd python3:python3 zsh:zsh fish:fish"
made_for=${1:-}
case $made_for in
  cluster) tools="$tools openssl:openssl nft:nftables go:golang-go" ;;
  corpus) tools="$tools musl-gcc:musl-tools eu-stack:elfutils qemu-aarch64:qemu-user aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu g++:g++ rustc:rustc go:golang-go" ;;
esac

packages() {
  missing=
  for tool in $tools; do command -v "${tool%:*}" > /dev/null || missing="$missing ${tool#*:}"; done
  [ "$made_for" != corpus ] || corpus_libraries
  [ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
  [ -e "/usr/lib/$(uname -m)-linux-gnu/libseccomp.so.2" ] || missing="$missing libseccomp2" # runc's
  [ -n "$missing" ] || return 0
  say "installing$missing"
  # A fresh machine has no package lists, an old one stale lists: both show as a failed first try.
  install_packages > /dev/null 2>&1 || { apt-get -qq update && install_packages; } > "$TESTBED/apt.log" 2>&1 ||
    { tail -n 20 "$TESTBED/apt.log" >&2; die "cannot install$missing"; }
}
corpus_libraries() {
  # gcc-multilib itself conflicts with the cross compiler.
  [ "$(uname -m)" != x86_64 ] || [ -e /usr/lib32/crt1.o ] || missing="$missing gcc-12-multilib"
  [ -e /usr/aarch64-linux-gnu/include/stdlib.h ] || missing="$missing libc6-dev-arm64-cross"
}
install_packages() {
  # shellcheck disable=SC2086 # a list of words
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends -y $missing
}

# part NAME [INPUT…]: NAME.sh FOLDER, or NAME/build.sh FOLDER, fills FOLDER; done once per content of that script and the
# inputs. $TESTBED/NAME links to it.
part() {
  name=$1
  shift
  script=$here/$name.sh
  [ -e "$script" ] || script=$here/$name/build.sh
  key=$(cat "$script" "$@" | sha256sum | cut -c 1-12)
  folder=$CACHE/$name-$key
  if [ ! -d "$folder" ]; then
    say "making $name"
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    "$script" "$folder.part"
    mv "$folder.part" "$folder"
  fi
  touch "$folder" # still in use
  ln -sfn "$folder" "$TESTBED/$name"
}

mkdir -p "$TESTBED/run" "$CACHE"
exec 8> "$CACHE/lock"
flock 8
packages
gcc --version | head -n 1 > "$TESTBED/gcc.version"
part engines
part bin "$here"/programs/*.c "$TESTBED/gcc.version"
part images "$TESTBED/engines/busybox" "$TESTBED/bin/crash" "$TESTBED/bin/pause" "$TESTBED/bin/reaper"
if [ "$made_for" = cluster ]; then
  flock -u 8 # this takes minutes, which those who need no cluster need not wait
  exec 8> "$CACHE/cluster.lock"
  flock 8
  echo "${KUBEBUILDER_ASSETS:-}" > "$TESTBED/kubebuilder-assets"
  part kubernetes "$here/go.sh" "$here"/kubernetes/go.* "$TESTBED/kubebuilder-assets"
  part s3 "$here/go.sh" "$here"/s3/go.*
  part helm "$here/go.sh" "$here"/helm/go.*
fi
# What no checkout has used for a week.
find "$CACHE" -mindepth 1 -maxdepth 1 -type d -mtime +7 -exec rm -rf {} +
