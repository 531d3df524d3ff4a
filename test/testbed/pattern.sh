#!/bin/sh
# testbed pattern: see `testbed help`. There is one core_pattern for the whole machine, so a lock serialises its users.
set -eu
. "$(dirname -- "$0")/lib.sh"
kernel=/proc/sys/kernel/ suid=/proc/sys/fs/suid_dumpable
saved=/run/coredump-testbed.saved # left by a holder that was killed -9: holds the true former values
limit=64 dumpable= hold=
while getopts l:d:h option; do
  case $option in l) limit=$OPTARG ;; d) dumpable=$OPTARG ;; h) hold=1 ;; *) exit 2 ;; esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] && { [ -n "$hold" ] || [ $# -ge 2 ]; } || die "usage: testbed pattern [-l LIMIT] [-d SUID_DUMPABLE] PATTERN CMD…"
pattern=$1
shift

restore() {
  trap '' INT TERM HUP
  { IFS= read -r old_pattern; read -r old_limit; read -r old_suid; } < "$saved"
  echo "$old_suid" > $suid
  echo "$old_limit" > ${kernel}core_pipe_limit
  printf '%s\n' "$old_pattern" > ${kernel}core_pattern
  rm -f "$saved"
}

exec 9> /run/lock/core_pattern.lock
flock 9
[ ! -s "$saved" ] || restore
cat ${kernel}core_pattern ${kernel}core_pipe_limit $suid > "$saved.part"
mv "$saved.part" "$saved"
trap restore EXIT
trap 'exit 143' INT TERM HUP

[ -z "$dumpable" ] || echo "$dumpable" > $suid
echo "$limit" > ${kernel}core_pipe_limit
printf '%s\n' "$pattern" > ${kernel}core_pattern
[ "$(cat ${kernel}core_pattern)" = "$pattern" ] || die "the kernel cut or refused the pattern: $(cat ${kernel}core_pattern)"

if [ -n "$hold" ]; then
  echo held
  set -- cat
fi
# In the background, so that a signal to this shell is acted on at once and not when CMD ends; with our standard
# input, which a background command does not get by itself.
exec 8<&0
"$@" <&8 8<&- 9>&- &
child=$!
trap 'kill $child 2> /dev/null || :' INT TERM HUP
status=0
wait $child || status=$?
while alive $child; do wait $child || status=$?; done
exit $status
