#!/bin/sh
# testbed engine: see `testbed help`. An engine's folder lies under $TESTBED/run as the real one does under /, so that
# whatever looks beside the socket for the state finds it:
#   run/containerd.sock, run/docker.sock, run/docker/containerd/   like /run/containerd, /run
#   root/ (containerd), data/ (docker)                             like /var/lib/containerd, /var/lib/docker
#   owner                                                          pid and start time of who started it ($OWNER)
set -eu
. "$(dirname -- "$0")/lib.sh"
action=${1:-} engines=$TESTBED/engines

start() {
  kind=$1 folder=$TESTBED/run/$2 cgroups=${3:-cgroupfs}
  [ ! -e "$folder" ] || die "there is an engine $2: stop it first"
  [ -e "$engines/runc" ] || die "run testbed setup first"
  mkdir -p "$folder/run" "$folder/bin"
  [ -z "${OWNER:-}" ] || identity "$OWNER" > "$folder/owner"
  runc=$engines/runc under=${UNDER:-} cni=${CNI:-$here/cni} # a node's engine is in the node's network
  case $cgroups in
    cgroupfs) ;;
    systemd) runc=$(wrap_runc names) ;;
    v2) runc=$(wrap_runc no-limits) under=$here/pure-v2 ;;
    *) die "unknown cgroups: $cgroups" ;;
  esac
  case $kind in
    containerd-1.6 | containerd-2) . "$here/containerd.sh" ;;
    docker) . "$here/dockerd.sh" ;;
    *) die "unknown kind of engine: $kind" ;;
  esac
  start_engine || { stop "$2"; exit 1; }
}

# wrap_runc CHANGE: a runc that first changes the bundle of a container (bundle.ts)
wrap_runc() {
  cat > "$folder/bin/runc-changed" <<END
#!/bin/sh
case " \$* " in *' create '*) "$here/../../bin/node" "$here/bundle.ts" $1 "\$@" || exit ;; esac
exec $engines/runc "\$@"
END
  chmod +x "$folder/bin/runc-changed"
  echo "$folder/bin/runc-changed"
}

# client NAME CMD…: a script that runs the engine's command-line client
client() {
  name=$1
  shift
  printf '#!/bin/sh\nexec %s "$@"\n' "$*" > "$folder/bin/$name"
  chmod +x "$folder/bin/$name"
}

# The engine first, so that it restarts nothing; then shims (a shim carries its engine's folder in its arguments) and
# what ran in their containers, which are the members of the cgroups that name them.
stop() {
  folder=$TESTBED/run/$1
  [ -d "$folder" ] || return 0
  containers=$(ls -d "$folder"/run/io.containerd.runtime.v2.task/*/* \
    "$folder"/run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/* 2> /dev/null | sed 's#.*/##')
  # dockerd would give each of its containers ten seconds to end.
  "$folder/bin/docker" ps -q 2> /dev/null | xargs -r "$folder/bin/docker" kill > /dev/null || :
  for engine in containerd dockerd; do end "$folder" $engine; done
  end_processes_with "$folder/run/"
  for container in $containers; do remove_cgroups "$container"; done
  unmount_under "$folder"
  rm -rf "$folder"
  "$here/leftovers.sh" remove
}

# remove_cgroups CONTAINER: its processes and its cgroups, in every hierarchy, and the parents that are empty now
remove_cgroups() {
  find /sys/fs/cgroup -type d -name "*$1*" | sort -r | while read -r cgroup; do
    for pid in $(cat "$cgroup/cgroup.procs" 2> /dev/null); do
      kill -9 "$pid" 2> /dev/null || :
      wait_end "$pid"
    done
    while [ "$cgroup" != /sys/fs/cgroup ] && rmdir "$cgroup" 2> /dev/null; do cgroup=${cgroup%/*}; done
  done
}

case $action:$# in
  start:3 | start:4) shift; start "$@" ;;
  stop:2) stop "$2" ;;
  *) die "usage: testbed engine start KIND NAME [CGROUPS] | stop NAME" ;;
esac
