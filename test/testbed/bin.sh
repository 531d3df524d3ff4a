#!/bin/sh
# bin.sh FOLDER   the C programs, static, with symbols; crash-dynamic is crash with libc as a library
set -eu
programs=$(dirname -- "$0")/programs
for source in "$programs"/*.c; do
  name=${source##*/}
  gcc -O1 -g -Wall -Wextra -Werror -static -pthread -o "$1/${name%.c}" "$source"
done
gcc -O1 -g -pthread -o "$1/crash-dynamic" "$programs/crash.c"
