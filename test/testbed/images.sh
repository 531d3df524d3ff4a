#!/bin/sh
# images.sh FOLDER   testbed.tar and pause.tar, images as `docker save` writes them, made by hand: no image registry
#   localhost/testbed:1   busybox, /bin/crash, /bin/reaper; users root and app (1000)
#   localhost/pause:1     a pod's first process
set -eu
. "$(dirname -- "$0")/lib.sh"
out=$1 root=$1/root
architecture=$(dpkg --print-architecture)

# image NAME CMD_JSON LAYER_TAR
image() {
  work=$out/$1
  mkdir "$work"
  cp "$3" "$work/layer.tar"
  layer=$(sha256sum "$3" | cut -d ' ' -f 1)
  printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$architecture" "$2" "$layer" > "$work/config.json"
  id=$(sha256sum "$work/config.json" | cut -d ' ' -f 1)
  mv "$work/config.json" "$work/$id.json"
  printf '[{"Config":"%s.json","RepoTags":["localhost/%s:1"],"Layers":["layer.tar"]}]' "$id" "$1" > "$work/manifest.json"
  pack "$work" "$out/$1.tar" manifest.json "$id.json" layer.tar
  rm -r "$work"
}
# pack FOLDER TAR NAME…: the same bytes for the same content
pack() {
  from=$1 to=$2
  shift 2
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$from" -cf "$to" "$@"
}

mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/proc" "$root/sys" "$root/dev" "$root/run"
chmod 1777 "$root/tmp"
cp "$TESTBED/bin/crash" "$TESTBED/bin/reaper" "$TESTBED/engines/busybox" "$root/bin/"
for applet in $("$TESTBED/engines/busybox" --list); do [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"; done
printf 'root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\napp:x:1000:\n' > "$root/etc/group"
pack "$root" "$out/layer.tar" .
image testbed '["/bin/sleep","3600"]' "$out/layer.tar"
rm -r "$root"
mkdir "$root"
cp "$TESTBED/bin/pause" "$root/"
pack "$root" "$out/layer.tar" .
image pause '["/pause"]' "$out/layer.tar"
rm -r "$root" "$out/layer.tar"
