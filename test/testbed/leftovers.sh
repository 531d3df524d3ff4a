#!/bin/sh
# testbed leftovers   list what is left of engines and tests that nobody uses any more, one a line
# testbed leftovers remove   remove what nothing uses any more: empty cgroups, sockets of shims, empty folders
set -eu
. "$(dirname -- "$0")/lib.sh"

# But for those of nodes, which keep empty ones; stopping a node removes them.
engine_cgroups() {
  nodes=$(ls -d "$TESTBED"/run/*-node-* 2> /dev/null | sed 's#.*/#/testbed-#')
  find /sys/fs/cgroup -depth -type d \( -path '*/kubepods*' -o -path '*/docker*' -o -path '*/system.slice*' -o -path '*/testbed*' \) |
    grep -vF "${nodes:-//}"
}

# The folders of run/ whose starter is still there: whatever is theirs is in use. Cgroups and network namespaces bear
# no owner's name, so they are listed only when nothing is in use.
list() {
  used=$(for folder in "$TESTBED"/run/*/; do ! in_use "$folder" || echo "$folder"; done)
  {
    mounts_under "$TESTBED" | sed 's/^/mount /'
    ls -d "$TESTBED"/run/*/ 2> /dev/null | sed 's/^/folder /'
    for pid in $(processes_with "$TESTBED/"); do
      ! is_ours "$pid" || echo "process $pid $(tr '\0' ' ' < "/proc/$pid/cmdline")"
    done
    [ -n "$used" ] || engine_cgroups | sed 's/^/cgroup /'
    [ -n "$used" ] || ls /run/netns 2> /dev/null | sed 's/^/netns /'
    [ -n "$used" ] || ls /sys/class/net | grep '^testbed' | sed 's/^/bridge /'
    [ -n "$used" ] || [ ! -e "$TESTBED/kubelet.sysctl" ] || echo "kernel settings as a kubelet wants them"
    find /var/log/containers -lname "$TESTBED/*" 2> /dev/null | sed 's/^/log /'
  } | grep -vF "${used:-//}" || :
}

# A program of the test bed that lost its parent: a test that still runs has its own.
is_ours() {
  case $(cat "/proc/$1/comm" 2> /dev/null) in
    containerd* | docker* | ctr | runc* | crash* | worker-* | reaper | kube* | etcd | versitygw | *tee*) grep -q '^PPid:[[:space:]]*[12]$' "/proc/$1/status" ;;
    *) false ;;
  esac
}

# A cgroup with members, and a folder with files, refuses; so others' stay.
remove() {
  [ -d /run/systemd/system ] || engine_cgroups | while read -r cgroup; do rmdir "$cgroup" 2> /dev/null || :; done
  for socket in /run/containerd/s/*; do
    [ ! -S "$socket" ] || grep -qF " $socket" /proc/net/unix || rm -f "$socket"
  done
  rm -f /var/lib/cni/results/testbed-* /var/lib/cni/results/cni-loopback-*
  find /run/containerd /run/docker /run/runc /run/netns /var/lib/cni -depth -type d -empty -delete 2> /dev/null || :
}

case ${1:-list} in list | remove) "${1:-list}" ;; *) die "usage: testbed leftovers [remove]" ;; esac
