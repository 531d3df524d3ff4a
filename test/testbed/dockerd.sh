# Sourced by engine.sh: start_engine for dockerd, on $folder/run/docker.sock; its client is $folder/bin/docker.
# There is no network but none and host: `docker run --network none localhost/testbed:1 …`.

start_engine() {
  for program in containerd containerd-shim-runc-v2; do ln -s "$engines/containerd-2/$program" "$folder/bin/$program"; done
  ln -s "$runc" "$folder/bin/runc"
  echo '{}' > "$folder/daemon.json" # not the machine's own
  client docker "$engines/docker/docker" --config "$folder/cli" -H "unix://$folder/run/docker.sock"
  PATH=$folder/bin:$PATH background "$folder" dockerd $under "$engines/docker/dockerd" --config-file "$folder/daemon.json" \
    --data-root "$folder/data" --exec-root "$folder/run/docker" --pidfile "$folder/run/docker.pid" \
    -H "unix://$folder/run/docker.sock" --exec-opt native.cgroupdriver=cgroupfs --bridge=none --userland-proxy=false \
    --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
  until_ready "$folder" dockerd "$folder/bin/docker" version
  "$folder/bin/docker" load -q -i "$TESTBED/images/testbed.tar" > /dev/null
}
