#!/bin/sh
# npm-packages.sh   make node_modules what package-lock.json says; nothing to do when it is
# One at a time: npm ci begins by removing what another one has just put there.
set -eu
cd "$(dirname -- "$0")/.."
is_current() { cmp -s package-lock.json node_modules/.installed-lock; }
! is_current || exit 0
mkdir -p .cache
exec 9> .cache/npm.lock
flock 9
is_current || npm ci --silent >&2 || npm ci --silent >&2
cp package-lock.json node_modules/.installed-lock
