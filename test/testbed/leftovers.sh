#!/bin/sh
# testbed leftovers   list what engines leave outside their folders, and mounts and processes under $TESTBED, one a line
# testbed leftovers remove   remove what nothing uses any more: empty cgroups, sockets of shims, empty folders
set -eu
. "$(dirname -- "$0")/lib.sh"

engine_cgroups() {
  find /sys/fs/cgroup -depth -type d \( -path '*/kubepods*' -o -path '*/docker*' -o -path '*/system.slice*' -o -path '*/testbed*' \)
}

list() {
  mounts_under "$TESTBED" | sed 's/^/mount /'
  engine_cgroups | sed 's/^/cgroup /'
  ls /run/netns 2> /dev/null | sed 's/^/netns /'
  for pid in $(processes_with "$TESTBED/"); do
    case $(cat "/proc/$pid/comm" 2> /dev/null) in containerd* | dockerd | docker* | ctr | runc* | crash | reaper | *tee*)
      echo "process $pid $(tr '\0' ' ' < "/proc/$pid/cmdline")" ;;
    esac
  done
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
