# Sourced by build.sh and run.sh. What they fetch lies in the test bed's cache, where it stays for as long as it is used.
#   VM_CACHE    tools/, kernel-SUITE-ARCH/, root-ARCH/
checkout=$(realpath "$here/../../..")
cache=${TESTBED_CACHE:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/coredump-detector}}
VM_CACHE=$(realpath -m "${cache:-$checkout/.cache}/testbed/vm")
native=$(dpkg --print-architecture)
tools=$VM_CACHE/tools
busybox=$tools/bin/busybox

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

suite_of() { # KERNEL   the Debian suite that has it
  case $1 in
    6.1) echo bookworm ;;
    6.12) echo trixie ;;
    backports) echo bookworm-backports ;;
    *) echo "$1" ;;
  esac
}

# The start of a command that runs a program of $tools, with the loader and the libraries there, whatever the machine has.
with_tools() {
  local libs; libs=$(echo "$tools"/usr/lib/*-linux-gnu)
  tool=(env QEMU_MODULE_DIR="$libs/qemu" "$libs"/ld-linux-*.so.* --library-path "$libs")
}
