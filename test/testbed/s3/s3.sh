#!/bin/sh
# testbed s3: see `testbed help`. An S3 server on loopback. Its folder:
#   endpoint                          its URL; the owner's keys are `testbed` and `testbed-secret`
#   data/BUCKET/KEY, versions/        what it holds, as plain files
#   users/                            keys of others, which may do nothing until a bucket's policy says so
set -eu
. "$(dirname -- "$0")/../lib.sh"
server=$TESTBED/s3/versitygw access=testbed secret=testbed-secret

start() {
  folder=$TESTBED/run/$1
  [ ! -e "$folder" ] || die "there is an S3 server $1: stop it first"
  [ -x "$server" ] || die "run testbed setup cluster first"
  mkdir -p "$folder/data" "$folder/versions" "$folder/users"
  [ -z "${OWNER:-}" ] || identity "$OWNER" > "$folder/owner"
  echo s3/s3 > "$folder/kind"
  (up "$1") || { stop "$1"; exit 1; }
}

# On the port that it had, if it had one: it comes back where its clients know it.
up() {
  folder=$TESTBED/run/$1
  [ -e "$folder/endpoint" ] || echo "http://127.0.0.1:$(free_port)" > "$folder/endpoint"
  endpoint=$(cat "$folder/endpoint")
  ROOT_ACCESS_KEY=$access ROOT_SECRET_KEY=$secret background "$folder" versitygw "$server" --quiet \
    --port "${endpoint#http://}" --iam-dir "$folder/users" posix --versioning-dir "$folder/versions" "$folder/data"
  until_ready "$folder" versitygw answers
}

answers() { admin list-users; }
admin() { "$server" admin --access "$access" --secret "$secret" --endpoint-url "$endpoint" "$@"; }

# Below what the kernel hands out to whoever asks for any port.
free_port() {
  port=27000
  while ss -Htln "sport = :$port" | grep -q . || grep -qsx "http://127.0.0.1:$port" "$TESTBED"/run/*/endpoint; do
    port=$((port + 1))
  done
  echo $port
}

down() { end "$TESTBED/run/$1" versitygw; }

stop() {
  down "$1"
  rm -rf "$TESTBED/run/$1"
}

user() {
  endpoint=$(cat "$TESTBED/run/$1/endpoint")
  admin create-user --access "$2" --secret "$3" --role user
}

action=${1:-} count=$#
[ $count -lt 2 ] || shift
case $action:$count in
  start:2 | stop:2 | up:2 | down:2 | user:4) "$action" "$@" ;;
  *) die "usage: testbed s3 start|stop|up|down NAME | user NAME ACCESS_KEY SECRET_KEY" ;;
esac
