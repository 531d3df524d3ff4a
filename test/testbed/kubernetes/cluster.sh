#!/bin/sh
# testbed cluster: see `testbed help`. The control plane of a cluster, with certificates of its own. Its folder:
#   kubeconfig            cluster-admin's; users/USER.kubeconfig, pki/          index           tells clusters apart
#   PART.pid, PART.log    of etcd, apiserver, controller-manager, scheduler     etcd/           all that the cluster knows
# The machine's address for the cluster, 198.18.INDEX.1 (of the range for tests), is on a bridge of its own: nodes and
# pods can reach it, which they could not on loopback, and nobody outside can. Nodes are 198.18.INDEX.1N (node.sh).
set -eu
. "$(dirname -- "$0")/../lib.sh"
. "$here/pki.sh"
programs=$TESTBED/kubernetes
parts="etcd apiserver controller-manager scheduler"

cluster() {
  name=$1 folder=$TESTBED/run/$1
  [ -z "${2:-}" ] || [ -e "$folder/index" ] || die "there is no cluster $1"
  index=$(cat "$folder/index" 2> /dev/null) || index=
  address=198.18.$index.1 bridge=testbed$index
}

start() {
  [ ! -e "$folder" ] || die "there is a cluster $name: stop it first"
  [ -x "$programs/kube-apiserver" ] || die "run testbed setup cluster first"
  mkdir -p "$folder/users"
  [ -z "${OWNER:-}" ] || identity "$OWNER" > "$folder/owner"
  echo kubernetes/cluster > "$folder/kind"
  take_index
  cluster "$name"
  ip addr add "$address/24" dev "$bridge"
  ip link set "$bridge" up
  certificates
  # shellcheck disable=SC2086 # a list of words
  (
    up $parts
    until_ready "$folder" controller-manager kubectl get serviceaccount default # else no pod could be made yet
  ) || { stop; exit 1; }
}

# Whoever makes the bridge has the index.
take_index() {
  index=0
  until ip link add "testbed$index" type bridge 2> /dev/null; do
    index=$((index + 1))
    [ $index -lt 100 ] || die "cannot make a bridge: $(ip link add testbed0 type bridge 2>&1)"
  done
  echo $index > "$folder/index"
}

# Ports of parts that only loopback sees, so different for each cluster; the API server has the address to itself.
port() { echo $((26000 + index * 10 + $1)); }

up() {
  for part; do
    case $part in
      etcd)
        etcd
        until_ready "$folder" etcd etcd_answers ;;
      apiserver)
        apiserver
        until_ready "$folder" apiserver kubectl get --raw /readyz ;;
      controller-manager | scheduler) "$(echo $part | tr - _)" ;;
      *) die "no part $part; the parts are $parts" ;;
    esac
  done
}

# The last started first, and none is given time: this is how a machine dies, and what is durable stays.
down() {
  for part; do
    pid=$(cat "$folder/$part.pid" 2> /dev/null) || continue
    kill -9 "$pid" 2> /dev/null || :
    wait_end "$pid"
    rm -f "$folder/$part.pid"
  done
}

kubectl() { "$programs/kubectl" --kubeconfig "$folder/kubeconfig" "$@"; }
etcd_answers() { grep -q '"msg":"ready to serve client requests"' "$folder/etcd.log"; }

etcd() {
  client=http://127.0.0.1:$(port 0) peer=http://127.0.0.1:$(port 1)
  background "$folder" etcd "$programs/etcd" --data-dir "$folder/etcd" --unsafe-no-fsync \
    --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer"
}

apiserver() {
  pki=$folder/pki
  # shellcheck disable=SC2086 # APISERVER_FLAGS is a list of words
  background "$folder" apiserver "$programs/kube-apiserver" --etcd-servers "http://127.0.0.1:$(port 0)" \
    --bind-address "$address" --advertise-address "$address" --secure-port 6443 --service-cluster-ip-range 10.96.0.0/16 \
    --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" --client-ca-file "$pki/ca.crt" \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$pki/accounts.pub" --service-account-signing-key-file "$pki/accounts.key" \
    --kubelet-client-certificate "$pki/kubelet-client.crt" --kubelet-client-key "$pki/kubelet-client.key" \
    --kubelet-preferred-address-types InternalIP --requestheader-client-ca-file "$pki/front-ca.crt" \
    --requestheader-allowed-names front-proxy --requestheader-username-headers X-Remote-User \
    --requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra- \
    --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key" \
    --enable-aggregator-routing ${APISERVER_FLAGS:-}
}

controller_manager() {
  background "$folder" controller-manager "$programs/kube-controller-manager" --leader-elect=false \
    --bind-address 127.0.0.1 --secure-port "$(port 2)" --kubeconfig "$folder/users/controller-manager.kubeconfig" \
    --authentication-kubeconfig "$folder/users/controller-manager.kubeconfig" --use-service-account-credentials \
    --service-account-private-key-file "$folder/pki/accounts.key" --root-ca-file "$folder/pki/ca.crt" \
    --cluster-signing-cert-file "$folder/pki/ca.crt" --cluster-signing-key-file "$folder/pki/ca.key"
}

scheduler() {
  background "$folder" scheduler "$programs/kube-scheduler" --leader-elect=false \
    --bind-address 127.0.0.1 --secure-port "$(port 3)" --kubeconfig "$folder/users/scheduler.kubeconfig" \
    --authentication-kubeconfig "$folder/users/scheduler.kubeconfig"
}

certificates() {
  authority ca kubernetes
  authority front-ca front-proxy
  certificate ca apiserver /CN=kube-apiserver serverAuth \
    "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:$address,IP:10.96.0.1"
  certificate ca kubelet-client /O=system:masters/CN=kubelet-client clientAuth
  certificate front-ca front-proxy /CN=front-proxy clientAuth
  key accounts
  openssl pkey -in "$folder/pki/accounts.key" -pubout -out "$folder/pki/accounts.pub"
  user admin admin system:masters > "$folder/pki/made"
  ln -s users/admin.kubeconfig "$folder/kubeconfig"
  for part in controller-manager scheduler; do user $part "system:kube-$part" >> "$folder/pki/made"; done
}

stop() {
  for node in "$folder"-node-*/; do
    [ ! -e "$node" ] || "$here/node.sh" stop "$name" "$(echo "${node%/}" | sed 's/.*-//')"
  done
  down scheduler controller-manager apiserver etcd
  [ -z "$index" ] || ip link del "$bridge" 2> /dev/null || :
  rm -rf "$folder"
}

action=${1:-} count=$#
[ $count -lt 2 ] || shift
case $action:$count in
  start:2) cluster "$1" && start ;;
  stop:2) cluster "$1" && stop ;;
  up:[3-9] | down:[3-9]) cluster "$1" known && shift && "$action" "$@" ;;
  user:[3-9]) cluster "$1" known && who=$2 && shift 2 && user "$(printf %s "$who" | tr -c 'a-zA-Z0-9.\n-' _)" "$who" "$@" ;;
  *) die "usage: testbed cluster start|stop NAME | up|down NAME PART… | user NAME USER [GROUP…]" ;;
esac
