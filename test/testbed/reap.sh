#!/bin/sh
# testbed reap: see `testbed help`. Engines and folders of run/ whose starter ($OWNER, in the file `owner`) is gone.
set -eu
. "$(dirname -- "$0")/lib.sh"
for folder in "$TESTBED"/run/*/; do
  folder=${folder%/}
  [ -s "$folder/owner" ] || continue
  ! in_use "$folder" || continue
  say "removing ${folder##*/}, left behind by a process that is gone"
  "$here/engine.sh" stop "${folder##*/}"
done
# The one holder of the pattern that could not restore it leaves a file that says so.
[ ! -s /run/coredump-testbed.saved ] || "$here/pattern.sh" core true
