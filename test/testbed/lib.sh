# Sourced by every script of the test bed.
#   TESTBED     state of the test bed: bin/ engines/ images/ (links into the cache) and run/NAME, one folder an engine
#   CACHE       what setup makes; each part's name carries the hash of all it is made from
TESTBED=${TESTBED:-/tmp/coredump-testbed}
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
CACHE=${TESTBED_CACHE:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/coredump-detector}}
CACHE=${CACHE:-$(CDPATH= cd -- "$here/../.." && pwd)/.cache}/testbed
export TESTBED

say() { echo "testbed: $*" >&2; }
die() { say "$*"; exit 1; }

# alive PID: runs, and is no zombie (the machine's first process may take seconds to collect one)
alive() {
  case $(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2> /dev/null) in '' | Z*) return 1 ;; esac
}

# background FOLDER NAME CMD…: run CMD as a session of its own; FOLDER/NAME.pid, FOLDER/NAME.log
background() {
  folder=$1 name=$2
  shift 2
  setsid "$@" > "$folder/$name.log" 2>&1 < /dev/null &
  echo $! > "$folder/$name.pid"
}

# until_ready FOLDER NAME CMD…: wait until CMD succeeds; fails when the process ends, or after 30 s
until_ready() {
  folder=$1 name=$2 tries=0
  shift 2
  until "$@" > /dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! alive "$(cat "$folder/$name.pid")"; then
      tail -n 20 "$folder/$name.log" >&2
      die "$name did not come up in $folder"
    fi
    sleep 0.1
  done
}

# wait_end PID: until it is gone; KILL after 15 s
wait_end() {
  tries=0
  while alive "$1"; do
    tries=$((tries + 1))
    [ $tries -ne 300 ] || kill -9 "$1" 2> /dev/null || :
    sleep 0.05
  done
}

# end FOLDER NAME: TERM, and wait
end() {
  pid=$(cat "$1/$2.pid" 2> /dev/null) || return 0
  kill "$pid" 2> /dev/null || :
  wait_end "$pid"
}

# processes_with TEXT: pids of the processes whose command line holds TEXT
processes_with() {
  for process in /proc/[0-9]*; do
    [ "$process" != "/proc/$$" ] || continue
    { tr '\0' ' ' < "$process/cmdline"; } 2> /dev/null | grep -qF -- "$1" && echo "${process#/proc/}"
  done
  return 0
}

end_processes_with() {
  for pid in $(processes_with "$1"); do
    kill -9 "$pid" 2> /dev/null || :
    wait_end "$pid"
  done
}

# mounts_under FOLDER: innermost first
mounts_under() { awk -v folder="$1/" 'index($5 "/", folder) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }

unmount_under() { mounts_under "$1" | while read -r mount; do umount -l "$mount"; done; }

# identity PID: what tells a process from a later one of the same pid: pid and start time in clock ticks
identity() { sed "s/^.*) /$1 /" "/proc/$1/stat" 2> /dev/null | cut -d ' ' -f 1,21; }

# in_use FOLDER: whoever started the engine in it (or made the folder) is still there
in_use() {
  [ -s "$1/owner" ] && read -r owner_pid owner_start < "$1/owner" && [ "$(identity "$owner_pid")" = "$owner_pid $owner_start" ]
}
