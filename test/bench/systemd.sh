#!/bin/sh
# systemd.sh FOLDER   systemd-coredump, systemd-socket-activate and their libraries in lib/, out of Debian's packages
# With libdw, which Debian recommends for it: stack traces are part of what it does while the process is held.
set -eu
out=$1 work=$1/work
packages="systemd-coredump systemd libsystemd-shared libdw1 libelf1 libacl1 libaudit1 libblkid1 libbz2-1.0 libcap-ng0
  libcap2 libcrypt1 libgcrypt20 libgpg-error0 libip4tc2 libkmod2 liblz4-1 liblzma5 libmount1 libpam0g libpcre2-8-0
  libseccomp2 libselinux1 libssl3 libuuid1 libzstd1 zlib1g"

mkdir -p "$work/root" "$out/lib"
cd "$work"
# shellcheck disable=SC2086 # a list of words
fetch() { apt-get -qq -o APT::Sandbox::User=root download $packages; }
fetch > /dev/null 2>&1 || { apt-get -qq update && fetch; } >&2
for deb in *.deb; do dpkg-deb -x "$deb" root; done
find root -name 'lib*.so*' -exec cp -P {} "$out/lib/" \;
cp root/lib/systemd/systemd-coredump root/usr/bin/systemd-socket-activate "$out/"
dpkg-deb -f systemd-coredump_*.deb Version > "$out/version"
rm -rf "$work"
