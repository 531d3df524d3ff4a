#!/bin/sh
# install/image/image.sh [OPTION…]   make the container image in dist/image, without a registry or a daemon (see --help)
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
"$root/install/npm-packages.sh"
exec "$root/bin/node" "$root/install/image/main.ts" "$@"
