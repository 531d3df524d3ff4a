#!/bin/sh
# testbed reap: see `testbed help`. Engines and folders of run/ whose starter ($OWNER, in the file `owner`) is gone.
set -eu
. "$(dirname -- "$0")/lib.sh"

# stop_one NAME: by the script that its folder names in the file `kind`; an engine has no such file
stop_one() {
  kind=$(cat "$TESTBED/run/$1/kind" 2> /dev/null) || kind=engine
  case $kind in
    kubernetes/node) "$here/kubernetes/node.sh" stop "${1%-node-*}" "${1##*-}" ;;
    *) "$here/$kind.sh" stop "$1" ;;
  esac
}

for folder in "$TESTBED"/run/*/; do
  folder=${folder%/}
  [ -s "$folder/owner" ] || continue # also one that went with its cluster
  ! in_use "$folder" || continue
  say "removing ${folder##*/}, left behind by a process that is gone"
  stop_one "${folder##*/}"
done
# The one holder of the pattern that could not restore it leaves a file that says so.
[ ! -s /run/coredump-testbed.saved ] || "$here/pattern.sh" core true
