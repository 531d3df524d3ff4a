#!/bin/bash
# build.sh [--arch amd64|arm64] [--kernel KERNEL]   fetch what run.sh needs into $VM_CACHE (run.sh calls it by itself)
#   KERNEL: a Debian suite, or 6.1, 6.12, backports: see run.sh
# Installs nothing: packages are downloaded with apt lists of their own (signatures are checked) and unpacked:
#   tools/               qemu, mkfs.ext4, busybox and every library that they need, of Debian 12
#   kernel-SUITE-ARCH/   vmlinuz, usr/lib/modules/, and initrd: busybox and the few modules to start with
#   root-ARCH/           for a foreign architecture: shell, compiler, debugger
set -euo pipefail
here=$(dirname "$(realpath "$0")"); . "$here/lib.sh"
arch=$native suite=bookworm
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arch=$2; shift 2 ;;
    --kernel) suite=$(suite_of "$2"); shift 2 ;;
    *) usage ;;
  esac
done

BOOT_MODULES='virtio_pci|virtio_blk|virtio_console|9p|9pnet_virtio|overlay|ext4|crc32c_generic'
DRIVERS='block|char|md|net|virtio' # kept: what containers and file systems may want
TOOL_PACKAGES="qemu-system-x86 qemu-system-arm e2fsprogs busybox-static"
ROOT_PACKAGES="bash coreutils libc-bin findutils diffutils grep sed mawk gawk tar gzip procps util-linux mount iproute2 file
  gdb gcc libc6-dev python3-minimal"

unlocked=(-o Debug::NoLocking=1 -o APT::Sandbox::User=root) # apt for those who are not root, too
# apt_ ARCH SUITE COMMAND…   an apt command that knows this one suite, and believes that nothing is installed
apt_() {
  local arch=$1 suite=$2 tool=$3 d=$work/apt-$2-$1; shift 3
  if [ ! -d "$d" ]; then
    mkdir -p "$d/lists/partial" "$d/cache/archives/partial"; : > "$d/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$d/sources.list"
    apt_ "$arch" "$suite" apt-get update --error-on=any > "$d/log" || { cat "$d/log" >&2; return 1; }
  fi
  "$tool" -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Acquire::Languages=none "${unlocked[@]}" \
    -o Dir::Etc::SourceList="$d/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::status="$d/status" \
    -o Dir::State::Lists="$d/lists" -o Dir::Cache="$d/cache" "$@"
}

# The mirror of the machine's own sources. Which of them is Debian's is known after an `apt-get update`: a fresh machine's goes to $work.
debian_mirror() {
  local own=(-o Dir::State::Lists="$work/lists" "${unlocked[@]}")
  mirror_in() {
    apt-get indextargets "$@" --format '$(ORIGIN) $(RELEASE) $(SITE)' 'Created-By: Packages' | sed -n 's/^Debian [a-z]* //p' | head -n 1
  }
  mirror=${DEBIAN_MIRROR:-$(mirror_in)}; [ -z "$mirror" ] || return 0
  mkdir -p "$work/lists/partial"; apt-get -qq "${own[@]}" update > /dev/null
  mirror=$(mirror_in "${own[@]}"); [ -n "$mirror" ] || { echo "no Debian mirror in apt's sources: set DEBIAN_MIRROR" >&2; return 1; }
}

# unpack ARCH SUITE DIR PACKAGE…   into a tree with a merged /usr, without documentation
unpack() {
  local arch=$1 suite=$2 dir=$3 each; shift 3
  for each in bin sbin lib lib64; do mkdir -p "$dir/usr/$each"; ln -sfn "usr/$each" "$dir/$each"; done; mkdir "$work/debs"
  (cd "$work/debs" && apt_ "$arch" "$suite" apt-get download "$@" > /dev/null)
  for each in "$work/debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$each" | tar -x -C "$dir" --no-same-owner --keep-directory-symlink \
      --exclude='./usr/share/doc' --exclude='./usr/share/locale' --exclude='./usr/share/man' --exclude='./dev/*'
  done
  rm -r "$work/debs"
}

with_dependencies() { # ARCH SUITE PACKAGE…
  apt_ "$1" "$2" apt-get install -s --no-install-recommends "${@:3}" | awk '$1 == "Inst" {print $2}'
}

make_tools() { unpack "$native" bookworm "$1" $(with_dependencies "$native" bookworm $TOOL_PACKAGES); }
make_root() { unpack "$arch" bookworm "$1" $(with_dependencies "$arch" bookworm $ROOT_PACKAGES); }

make_kernel() { # DIR   since 7.x a kernel is spread over several packages
  local initrd=$work/initrd modules version
  unpack "$arch" "$suite" "$1" $(apt_ "$arch" "$suite" apt-cache depends --recurse --important "linux-image-$arch" |
    grep -E '^linux-(image|binary|modules)-[0-9]')
  modules=$(echo "$1"/usr/lib/modules/*) version=${modules##*/}
  find "$1" -name 'vmlinuz*' -exec mv {} "$1/vmlinuz" \;
  rm -rf "$modules"/kernel/{sound,drivers/net/*/}
  find "$modules/kernel/drivers" -mindepth 1 -maxdepth 1 -regextype egrep ! -regex ".*/($DRIVERS)" -exec rm -r {} +
  find "$modules" -name '*.ko.xz' -exec "$busybox" unxz {} +
  "$busybox" depmod -b "$1" "$version"
  unpack "$arch" bookworm "$initrd" busybox-static
  mkdir -p "$initrd/usr/lib/modules/$version" "$initrd"/{proc,sys,dev,scratch,layer,new}
  (cd "$modules" && grep -E "/($BOOT_MODULES)\.ko:" modules.dep | tr -d : | xargs -n 1 | sort -u |
    xargs cp --parents -t "$initrd/usr/lib/modules/$version")
  "$busybox" depmod -b "$initrd" "$version"
  (cd "$initrd" && find . | "$busybox" cpio -o -H newc -R 0:0 2> /dev/null) > "$1/initrd"
  rm -r "$initrd"
}

make() { # KIND NAME   a folder of the cache appears when it is whole
  [ ! -e "$VM_CACHE/$2" ] || return 0
  echo "fetching $VM_CACHE/$2" >&2
  "make_$1" "$work/$2"; mv "$work/$2" "$VM_CACHE/$2"
}

umask 022; mkdir -p "$VM_CACHE"; exec 9> "$VM_CACHE/lock"; flock 9
touch "$VM_CACHE" # still in use: setup removes what is not
work=$(mktemp -d "$VM_CACHE/work.XXXXXX"); trap 'rm -rf "$work"' EXIT; trap 'exit 1' INT TERM HUP
debian_mirror
make tools tools
make kernel "kernel-$suite-$arch"
[ "$arch" = "$native" ] || make root "root-$arch"
