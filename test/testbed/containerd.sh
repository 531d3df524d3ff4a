# Sourced by engine.sh: start_engine for containerd with CRI, on $folder/run/containerd.sock; its client is $folder/bin/ctr.

start_engine() {
  programs=$engines/$kind
  for plugin in no-network loopback; do ln -s "$here/cni/no-network" "$folder/bin/$plugin"; done
  # An overlay cannot lie on an overlay, which a containerised machine's / may be.
  snapshotter=overlayfs
  [ "$(stat -f -c %T "$folder")" != overlayfs ] || snapshotter=native
  case $kind in containerd-1.6) config_1 ;; *) config_2 ;; esac > "$folder/config.toml"
  client ctr "$programs/ctr" -a "$folder/run/containerd.sock" -n k8s.io
  PATH=$programs:$PATH background "$folder" containerd $under "$programs/containerd" --config "$folder/config.toml"
  until_ready "$folder" containerd "$folder/bin/ctr" version
  for image in testbed pause; do "$folder/bin/ctr" images import "$TESTBED/images/$image.tar" > /dev/null; done
}

# Network namespaces lie under the state folder, so that stopping finds them. The score of the out-of-memory killer
# cannot be lowered without CAP_SYS_RESOURCE.
config_1() {
  cat << END
version = 2
root = "$folder/root"
state = "$folder/run"
[grpc]
  address = "$folder/run/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$folder/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$folder/bin"
    conf_dir = "$cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$runc"
END
}

config_2() {
  cat << END
version = 3
root = "$folder/root"
state = "$folder/run"
[grpc]
  address = "$folder/run/containerd.sock"
[plugins.'io.containerd.internal.v1.opt']
  path = "$folder/opt"
[plugins.'io.containerd.nri.v1.nri']
  disable = true
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "$snapshotter"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["$folder/bin"]
    conf_dir = "$cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "$runc"
END
}
