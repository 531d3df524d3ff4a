#!/bin/sh
# install.sh [OPTION…]   install coredump-detector on this node, from the unpacked tarball or a built checkout
#
# Options are those of `coredump-detector install` (--help shows them). POSIX sh, nothing else is needed. The verb does
# the work; this only starts it, also on a host whose C library the executable cannot use.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
die() { echo "install.sh: $*" >&2; exit 1; }

folder=$here
[ -e "$folder/coredump-detector" ] || folder=$here/../dist
binary=$folder/coredump-detector
[ -x "$binary" ] || die "no coredump-detector beside $0: unpack the whole tarball, or run bin/build"

if said=$("$binary" --version 2>&1); then
  exec "$binary" install --from "$binary" "$@"
fi
# A build with a C library of its own names its loader by where it will be installed: not there yet.
for loader in "$folder"/lib/ld-linux-*; do
  [ -x "$loader" ] || die "it cannot start here: $said
Take the tarball that brings its own C library (coredump-detector-…-own-libc.tar.gz)"
  exec "$loader" --library-path "$folder/lib" "$binary" install --from "$binary" "$@"
done
