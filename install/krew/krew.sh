#!/bin/sh
# krew.sh URL [FOLDER]   make packages and a manifest for `kubectl krew`, out of the tarballs that bin/build left in dist/
#
# Krew unpacks no links (its tar reader refuses them), and the tarballs have two: the packages are the same without them. Krew makes the
# link by which kubectl finds the plugin itself. FOLDER (default dist/krew) gets the packages, to be served under URL, and coredump.yaml:
#   kubectl krew install --manifest=coredump.yaml [--archive=PACKAGE]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$here/../..
die() { echo "krew.sh: $*" >&2; exit 1; }
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: sh krew.sh <url> [<folder>]" >&2; exit 1; }
url=${1%/} out=${2:-$root/dist/krew}
case $url in https://?* | http://?*) ;; *) die "$url is not a URL" ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p -- "$out"

platforms=
for tarball in "${DIST:-$root/dist}"/coredump-detector-*-linux-*.tar.gz; do
  [ -e "$tarball" ] || die "no tarball in dist: run bin/build (--arch all)"
  name=$(basename "$tarball" .tar.gz)
  case $name in *-own-libc) continue ;; esac # its loader is found at its final place alone
  case $name in *-x64) arch=amd64 ;; *-arm64) arch=arm64 ;; *) continue ;; esac
  version=${name#coredump-detector-} version=${version%%-linux-*}
  rm -rf "$work/files"
  mkdir "$work/files"
  tar -xzf "$tarball" -C "$work/files" --strip-components=1
  find "$work/files" -type l -exec rm {} +
  rm -f "$work/files/install.sh"
  cp "$root/LICENSE" "$work/files/LICENSE"
  package=kubectl-coredump-$version-linux-$arch.tar.gz
  # The same files give the same bytes.
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar -C "$work/files" -cf - . |
    gzip -n > "$out/$package"
  sum=$(sha256sum "$out/$package" | cut -d ' ' -f 1)
  platforms="$platforms
  - selector: { matchLabels: { os: linux, arch: $arch } }
    uri: $url/$package
    sha256: $sum
    bin: coredump-detector"
done
[ -n "$platforms" ] || die "no tarball in dist: run bin/build (--arch all)"
cat > "$out/coredump.yaml" << YAML
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata: { name: coredump }
spec:
  version: v$version
  homepage: $url
  shortDescription: Lists, downloads and debugs core dumps of containers
  description: |
    For owners of namespaces where coredump-detector is installed: what crashed and why, its core, and gdb on it with the files of
    the crashed image.
  platforms:$platforms
YAML
echo "$out/coredump.yaml is ready: kubectl krew install --manifest=$out/coredump.yaml"
