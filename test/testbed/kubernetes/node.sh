#!/bin/sh
# testbed node: see `testbed help`. A node of a cluster: containerd 2, kubelet and kube-proxy, in a network namespace of its
# own (also called CLUSTER-node-N), so that what they change of the network goes away with it. Its folder is an engine's,
# with kubelet/ and logs/ beside. Pods of node N have 198.19.INDEX.(32 × N + 2) and up, whatever is on the node
# reaches them and services; pods reach the nodes and the machine's address for the cluster. There is no name service.
set -eu
. "$(dirname -- "$0")/../lib.sh"
. "$here/pki.sh"
testbed=$here/../testbed programs=$TESTBED/kubernetes

node() {
  name=$1 number=${2:-1} cluster=$TESTBED/run/$1
  node=$name-node-$number
  own=$TESTBED/run/$node cgroup=/testbed-$node
  index=$(cat "$cluster/index" 2> /dev/null) || index=
  address=198.18.$index.1 node_address=198.18.$index.1$number
}

start() {
  [ -n "$index" ] || die "there is no cluster $name"
  [ ! -e "$own" ] || die "there is a node $node: stop it first"
  network
  UNDER="nsenter --net=/run/netns/$node" CNI="$own/cni" "$testbed" engine start containerd-2 "$node"
  echo kubernetes/node > "$own/kind"
  ln -s "$here/cni-bridge" "$own/bin/bridge"
  mkdir -p "$own/cni" "$own/addresses"
  cat > "$own/cni/testbed.conflist" << END
{ "cniVersion": "1.0.0", "name": "testbed", "plugins": [
  { "type": "bridge", "prefix": "198.19.$index", "first": $((number * 32)), "addresses": "$own/addresses" }] }
END
  : > "$own/kubelet.yaml" # says that a kubelet is there
  locked save_settings
  mount --make-shared / # as systemd has it: pods see what is mounted later only then (mountPropagation: HostToContainer)
  for hierarchy in $(hierarchies); do mkdir -p "$hierarchy$cgroup"; done
  kubelet
  kube_proxy
  (
    until_ready "$own" kubelet kubectl wait --for=condition=Ready "node/node-$number" --timeout=1s
    until_ready "$own" kubelet untainted # else no pod would come to it yet
  ) || { stop; exit 1; }
}

kubectl() { "$programs/kubectl" --kubeconfig "$cluster/kubeconfig" "$@"; }
untainted() { [ -z "$(kubectl get node "node-$number" -o 'jsonpath={.spec.taints}')" ]; }
hierarchies() { awk '$3 ~ /^cgroup/ { print $2 }' /proc/self/mounts | grep '^/sys/fs/cgroup'; }

# The node's end of a pair of interfaces is called eth0; the other end is a port of the cluster's bridge.
network() {
  ip netns add "$node"
  ip -n "$node" link set lo up
  ip link add "tb$index-$number" type veth peer name eth0 netns "$node"
  ip link set "tb$index-$number" master "testbed$index" up
  ip -n "$node" addr add "$node_address/24" dev eth0
  ip -n "$node" link set eth0 up
  ip -n "$node" link add pods type bridge
  ip -n "$node" addr add "198.19.$index.$((number * 32 + 1))/27" dev pods
  ip -n "$node" link set pods up
  ip -n "$node" route add default via "$address"
  ip route add "198.19.$index.$((number * 32))/27" via "$node_address"
  for other in 1 2 3 4 5 6 7; do
    [ $other = "$number" ] || ip -n "$node" route add "198.19.$index.$((other * 32))/27" via "198.18.$index.1$other"
  done
  nsenter --net="/run/netns/$node" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
}

kubelet() {
  folder=$cluster
  socket=unix://$own/run/containerd.sock
  cat > "$own/kubelet.yaml" << END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: { x509: { clientCAFile: $cluster/pki/ca.crt }, anonymous: { enabled: false }, webhook: { enabled: true } }
authorization: { mode: Webhook }
cgroupDriver: cgroupfs
cgroupRoot: $cgroup # a kubelet ends what it does not know below its kubepods, other tests' pods too
clusterDomain: cluster.local
containerRuntimeEndpoint: $socket
imageServiceEndpoint: $socket
evictionHard: { memory.available: 100Mi }
failCgroupV1: false
failSwapOn: false
imageGCHighThresholdPercent: 100
makeIPTablesUtilChains: false
nodeStatusReportFrequency: 10s
oomScoreAdj: 0
podLogsDir: $own/logs
resolvConf: ""
syncFrequency: 5s
END
  kubeconfig=$(user "$node" "system:node:node-$number" system:nodes)
  background "$own" kubelet nsenter "--net=/run/netns/$node" "$programs/kubelet" --config "$own/kubelet.yaml" \
    --kubeconfig "$kubeconfig" --hostname-override "node-$number" --node-ip "$node_address" \
    --root-dir "$own/kubelet" --cert-dir "$own/kubelet-pki"
}

kube_proxy() {
  folder=$cluster
  cat > "$own/kube-proxy.yaml" << END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
bindAddress: 127.0.0.1
clientConnection: { kubeconfig: $(user "$node-proxy" system:kube-proxy) }
conntrack: { maxPerCore: 0, min: 0 }
hostnameOverride: node-$number
END
  background "$own" kube-proxy nsenter "--net=/run/netns/$node" "$programs/kube-proxy" --config "$own/kube-proxy.yaml"
}

# A kubelet sets these for the whole machine. The first node's start saves them, the last one's stop restores them.
saved=$TESTBED/kubelet.sysctl
save_settings() {
  [ ! -e "$saved" ] || return 0
  {
    echo "propagation $(findmnt -n -o PROPAGATION /)"
    for setting in kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes \
      vm/overcommit_memory vm/panic_on_oom; do
      echo "$setting $(cat /proc/sys/$setting)"
    done
  } > "$saved.part"
  mv "$saved.part" "$saved"
}
restore_settings() {
  [ -e "$saved" ] || return 0
  while read -r setting value; do
    case $setting in
      propagation) mount "--make-${value%%,*}" / ;;
      *) echo "$value" > "/proc/sys/$setting" ;;
    esac
  done < "$saved"
  rm "$saved"
}

# Pods first lose who would start them again, then the engine ends them; their volumes are mounts in its folder.
stop() {
  for part in kubelet kube-proxy; do
    pid=$(cat "$own/$part.pid" 2> /dev/null) || continue
    kill -9 "$pid" 2> /dev/null || :
    wait_end "$pid"
  done
  "$testbed" engine stop "$node"
  ip link del "tb$index-$number" 2> /dev/null || :
  ip netns del "$node" 2> /dev/null || :
  for hierarchy in $(hierarchies); do
    [ ! -d "$hierarchy$cgroup" ] || find "$hierarchy$cgroup" -depth -type d -exec rmdir {} + || :
  done
  find /var/log/containers -lname "$own/*" -delete 2> /dev/null || :
  locked last_has_stopped
}

last_has_stopped() {
  for other in "$TESTBED"/run/*/kubelet.yaml; do [ ! -e "$other" ] || return 0; done
  restore_settings
  rm -f /var/lib/kubelet/device-plugins/kubelet.sock
  find /var/lib/kubelet /var/log/containers -depth -type d -empty -delete 2> /dev/null || :
}

# locked CMD: one node at a time
locked() { (flock 8 && "$@") 8> "$TESTBED/nodes.lock"; }

action=${1:-} count=$#
[ $count -lt 2 ] || shift
case $action:$count in
  start:[23] | stop:[23]) node "$@" && "$action" ;;
  *) die "usage: testbed node start|stop CLUSTER [NUMBER, 1 to 7]" ;;
esac
