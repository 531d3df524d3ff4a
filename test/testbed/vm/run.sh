#!/bin/bash
# testbed vm [OPTION…] SCRIPT [ARG…]   run SCRIPT (or any command) as root in a VM of its own; its exit status is passed back
#   --kernel KERNEL    6.1 (default), 6.12, backports (6.12 for Debian 12), or a Debian suite: trixie-backports, sid, …
#   --arch ARCH        amd64 or arm64 (default: this machine's)
#   --mem MiB          memory (default 2048)       --cpus N       processors (default 2)
#   --seconds N        then it is ended, status 124 (default 300)
#   --share DIR        a folder of this machine that the VM may write to, at /share there
#   --append WORDS     for the kernel's command line
#   Status 125: the VM did not come to an end; its console's last lines are shown.
# Another Linux kernel under qemu, with a core_pattern of its own, so no lock is needed and several run side by side. It sees this
# machine's files read-only below an overlay (what it writes is gone afterwards), pure cgroup v2, and an ext4 disk at /scratch. No
# KVM: nested it hangs on some machines, so everything is emulated, and slow. Nothing here is for timing.
set -euo pipefail
here=$(dirname "$(realpath "$0")"); . "$here/lib.sh"
kernel=6.1 arch=$native mem=2048 cpus=2 seconds=300 share= append=
while [[ ${1-} = --* ]]; do
  case $1 in
    --kernel | --arch | --mem | --cpus | --seconds | --share | --append) declare "${1#--}=$2"; shift 2 ;;
    *) usage ;;
  esac
done
[ $# -gt 0 ] || usage
suite=$(suite_of "$kernel")
"$here/build.sh" --arch "$arch" --kernel "$suite"

tmp=$(mktemp -d) pid=
finish() { [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2> /dev/null || true; rm -rf "$tmp"; }
trap finish EXIT; trap 'exit 130' INT; trap 'exit 143' TERM HUP

if [ -f "$1" ]; then # a script need not be executable
  script=$(realpath "$1"); shift
  if [ -x "$script" ]; then set -- "$script" "$@"; else set -- bash "$script" "$@"; fi
fi
mkdir "$tmp/run"; cp "$here/pid1" "$tmp/run"
[ -z "$share" ] || share_too='mkdir -p /share; mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 share /share || exit 125'
printf '%s\n' "${share_too-}" "cd ${PWD@Q} || exit 125" "exec ${*@Q}" > "$tmp/run/command"
with_tools
files=$VM_CACHE/kernel-$suite-$arch
{ cat "$files/initrd"; (cd "$here" && echo init | "$busybox" cpio -o -H newc -R 0:0 2> /dev/null); } > "$tmp/initrd"
truncate -s 20G "$tmp/disk"; "${tool[@]}" "$tools/sbin/mkfs.ext4" -q -F "$tmp/disk"

folders=() layers=
folder() { folders+=(-virtfs "local,path=$2,mount_tag=$1,security_model=none,multidevs=remap${3-}"); }
layer() { folder "$1" "$2" ,readonly=on; layers+=${layers:+,}$1; }
layer kernel "$files"
[ "$arch" = "$native" ] || layer root "$VM_CACHE/root-$arch"
layer host /
folder run "$tmp/run"
[ -z "$share" ] || folder share "$(realpath "$share")"

case $arch in
  amd64) machine=(qemu-system-x86_64 -M q35 -cpu max) console=ttyS0 ;;
  arm64) machine=(qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on) console=ttyAMA0 ;;
esac
exec 3> >(cat || exec cat > /dev/null); cat=$! # output that nobody reads any more must not stop the VM
setpriv --pdeathsig TERM timeout -k 5 "$seconds" "${tool[@]}" "$tools/bin/${machine[@]}" \
  -L "$tools/usr/share/qemu" -L "$tools/usr/share/seabios" -nodefaults -display none -no-reboot -nic none \
  -accel tcg,thread=multi -smp "$cpus" -m "$mem" -kernel "$files/vmlinuz" -initrd "$tmp/initrd" \
  -append "console=$console quiet panic=-1 layers=$layers $append" -serial "file:$tmp/console" \
  -device virtio-serial -chardev file,id=out,path=/dev/fd/3 -device virtserialport,chardev=out \
  -drive "file=$tmp/disk,if=virtio,format=raw,cache=unsafe" "${folders[@]}" < /dev/null 2> "$tmp/qemu" &
pid=$! status=0; exec 3>&-
wait "$pid" || status=$?
pid=; wait "$cat" || true
[ ! -s "$tmp/run/status" ] || exit "$(cat "$tmp/run/status")"
[ "$status" != 124 ] || { echo "the VM was ended after $seconds s" >&2; exit 124; }
tail -n 20 "$tmp/qemu" "$tmp/console" >&2; exit 125
