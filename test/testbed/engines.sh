#!/bin/sh
# engines.sh FOLDER   containerd-1.6/ containerd-2/ docker/ runc busybox out of Debian's packages, without installing them
#
# Only the suite is chosen, never a version: sid's packages are replaced all the time. Lists and downloads are private,
# the machine's own apt state stays as it is; signatures are checked as usual,
# but not their age: a mirror of sid may be days behind.
set -eu
. "$(dirname -- "$0")/lib.sh"
out=$1 work=$1/work
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# The mirror that this machine uses for its own release.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$' || echo http://deb.debian.org/debian)

# apt_for SUITE ARGS…
apt_for() {
  suite=$1 apt=$work/$1
  shift
  apt-get -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$apt/lists" \
    -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

lists() {
  mkdir -p "$work/$1/lists/partial" "$work/$1/cache/archives/partial"
  echo "deb [signed-by=$keyring] $mirror $1 main" > "$work/$1/sources.list"
  apt_for "$1" update || { sleep 5; apt_for "$1" update; } || die "cannot read Debian's list of packages for $1 from $mirror"
}

# take SUITE PACKAGE FOLDER FILE…: the files of that package into FOLDER
take() {
  suite=$1 package=$2 folder=$3
  shift 3
  mkdir -p "$folder"
  (cd "$work" && { apt_for "$suite" download "$package" || apt_for "$suite" download "$package"; } > /dev/null) ||
    die "cannot download $package of $suite from $mirror"
  dpkg-deb --fsys-tarfile "$work/$package"_*.deb | tar -x -C "$work" -f - "$@" || die "$package of $suite has no $*"
  rm "$work/$package"_*.deb
  for file; do mv "$work/$file" "$folder/"; done
}

# check FILE…: fails here, and not in a test, when a package of sid asks for a newer libc than this machine's
check() {
  for file; do
    "$file" --version > /dev/null 2>&1 || die "$file does not run here: $("$file" --version 2>&1 | head -n 1)"
  done
}

for suite in bookworm sid; do lists $suite; done
containerd="./usr/bin/containerd ./usr/bin/ctr ./usr/bin/containerd-shim-runc-v2"
# shellcheck disable=SC2086 # a list of words
take bookworm containerd "$out/containerd-1.6" $containerd
# shellcheck disable=SC2086
take sid containerd "$out/containerd-2" $containerd
take sid docker.io "$out/docker" ./usr/sbin/dockerd
take sid docker-cli "$out/docker" ./usr/bin/docker
take bookworm runc "$out" ./usr/sbin/runc
take bookworm busybox-static "$out" ./bin/busybox
rm -rf "$work"
check "$out/containerd-1.6/containerd" "$out/containerd-2/containerd" "$out/docker/dockerd" "$out/docker/docker" "$out/runc"
