#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Boots Debian's kernels in QEMU, without KVM, and runs guest.sh in each: their verifiers differ, and they have
# devices that the host's kernel may lack. Prints TAP. Does not need root. Downloads the kernels as packages,
# unpacks them in build/kernels/ and keeps them there; installs nothing.
#
# usage: test_kernels.sh [VERSION...]      6.1 or 6.12; default: both
#
# 6.1, the oldest supported kernel, runs all sections of guest.sh. A later kernel runs those whose result depends most on the
# kernel: the verifier, each kind of packet once, libxdp's dispatcher and the driver of virtio. The host's kernel runs all
# packet tests, and the suites in tests/net/ with veth.
#
# Emulates a machine: its processor time is most of that of `make test-all`.
#
# Environment: KERNELS_CLANGS, further compilers for the programs (default "16 19"); KERNELS_SECTIONS, the
# sections of guest.sh for all kernels; KERNELS_SECONDS, the time limit (default 2400); KERNELS_KEEP, if not
# empty: keep the work directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/kernels/relay.sh
. tests/kernels/packages.sh
. tests/kernels/limits.sh

CACHE=build/kernels
LATER_SECTIONS="load rows dispatcher virtio"
BOOT_SECONDS=${KERNELS_SECONDS:-2400}
read -ra CLANGS <<< "${KERNELS_CLANGS-16 19}"
QEMU=qemu-system-x86_64
PATH=$PATH:/usr/sbin:/sbin

WORK=
declare -A VM=() # version -> process

# The commands of the guest in addition to those of busybox and to the shell's builtins.
GUEST_COMMANDS=(bash bpftool ethtool ip jq nsenter ping sleep ss sysctl tc timeout unshare)
# The kernel modules of the guest; their dependencies are added. Some kernels have some of them built in.
GUEST_MODULES=(virtio_pci virtio_net veth bridge ipip sit ip6_tunnel fou fou6 8021q dummy sch_netem)

finish() {
	local status=$?
	trap '' HUP INT TERM
	# `timeout` forwards the signal to QEMU.
	[ ${#VM[@]} -eq 0 ] || kill "${VM[@]}" 2> /dev/null || true
	wait
	[ -n "${KERNELS_KEEP:-}" ] || rm -rf "$WORK"
	[ -z "${KERNELS_KEEP:-}" ] || echo "the work directory is kept: $WORK" >&2
	exit $status
}

# --- the programs, built by several compilers

# build_objects: fills build/kernels/objects/clang-N/ for each available compiler.
build_objects() {
	local version shipped clang
	shipped=$(clang -dumpversion | cut -d. -f1)
	rm -rf "$CACHE/objects"
	mkdir -p "$CACHE/objects/clang-$shipped"
	cp build/bpf/{balancer,observer,explainer,decap,call_writer}.bpf.o "$CACHE/objects/clang-$shipped"
	for version in "${CLANGS[@]}"; do
		[ "$version" != "$shipped" ] || continue
		if clang=$(command_of "$version"); then
			check "clang-$version builds the programs" build_by "$version" "$clang"
			mkdir "$CACHE/objects/clang-$version"
			cp "$CACHE/clang-$version/bpf"/*.bpf.o "$CACHE/objects/clang-$version" || true # reported already
		else
			skip "the programs, built by clang-$version" "clang-$version is not installed, and its packages cannot be fetched"
		fi
	done
}

# command_of VERSION: prints the command for that clang.
command_of() {
	local root=$PWD/$CACHE/packages/clang-$1
	command -v "clang-$1" && return
	fetch "clang-$1" "libclang-cpp$1" "libllvm$1" "libclang-common-$1-dev" || return 1
	echo "env LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu $root/usr/lib/llvm-$1/bin/clang"
}

# --- the guest's files

# The files that all kernels share: Debian's layout, and in /sipxdp the files of this tree that the tests need.
make_image() {
	local command file
	IMAGE=$WORK/image
	mkdir -p "$IMAGE"/{etc,proc,sys,dev,run,tmp,usr/{bin,sbin,lib,lib64}}
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$IMAGE"
	put "$(command -v busybox)" /usr/bin/busybox
	for command in "${GUEST_COMMANDS[@]}"; do
		file=$(type -P "$command") # not a shell function of the tests
		put "$file" "/usr/local/bin/$command"
	done
	put_dispatcher
	for file in build/sipxdp-loader build/sipxdpd build/sipxdp-ctl build/tests/tools/numbered \
		build/tests/kernels/verified "${TESTS[@]}"; do
		put "$file" "/sipxdp/$file"
	done
	for file in build/tests/lib/pass.bpf.o build/tests/kernels/seen.bpf.o "$CACHE"/objects/*/* tests/lib/*.sh tests/kernels/*.sh; do
		install -D "$file" "$IMAGE/sipxdp/$file"
	done
	install tests/kernels/init "$IMAGE/init"
	echo root:x:0:0:root:/:/bin/sh > "$IMAGE/etc/passwd"
	pack "$IMAGE" "$WORK/image.cpio"
}

# libxdp's dispatcher, and xdp-loader, which loads a second program.
put_dispatcher() {
	local file
	if ! file=$(command -v xdp-loader); then
		fetch xdp-tools || return 0
		file=$CACHE/packages/xdp-tools/usr/sbin/xdp-loader
	fi
	put "$file" /usr/local/bin/xdp-loader
	for file in /usr/lib/*/bpf/xdp-dispatcher.o; do
		install -D "$file" "$IMAGE/$file"
	done
}

# make_modules PACKAGE DIRECTORY: writes DIRECTORY/modules.cpio with the kernel modules that the tests need. The
# kernel accepts several archives, one after the other.
make_modules() {
	local package=$1 all=$2/all some=$2/modules release module file
	release=$(ls "$CACHE/packages/$package/lib/modules")
	mkdir -p "$all/lib/modules/$release" "$some/usr/lib/modules/$release"
	cp -r "$CACHE/packages/$package/lib/modules/$release"/{kernel/net,kernel/lib,kernel/crypto,kernel/drivers/net,kernel/drivers/virtio} \
		"$all/lib/modules/$release" 2> /dev/null || true # some kernels have some of these built in
	find "$all" -name '*.ko.xz' -exec busybox unxz {} +
	busybox depmod -b "$all" "$release"
	for module in "${GUEST_MODULES[@]}"; do
		sed -n "s|^\(.*/${module//_/[-_]}\.ko\): *\(.*\)|\1 \2|p" "$all/lib/modules/$release/modules.dep"
	done | tr -s ' ' '\n' | sed '/^$/d' | sort -u > "$2/list"
	while read -r file; do
		install -D -m 644 "$all/lib/modules/$release/$file" "$some/usr/lib/modules/$release/$file"
	done < "$2/list"
	rm -rf "$all"
	busybox depmod -b "$some/usr" "$release"
	pack "$some" "$2/modules.cpio"
}

# --- a kernel

# start VERSION: boots the newest kernel of that version (6.1 ...). All its files are in $WORK/VERSION/. If it
# cannot boot, the file `why` there contains the reason.
start() {
	local version=$1 directory=$WORK/$1 package
	mkdir "$directory"
	package=$(newest_kernel "$version")
	if [ -z "$package" ]; then
		echo "apt has no package linux-image-$version.*-cloud-amd64-unsigned (apt-get update?)" > "$directory/why"
	elif ! fetch "$package"; then
		echo "$package cannot be fetched: $(tail -n 1 "$WORK/apt.log")" > "$directory/why"
	else
		make_modules "$package" "$directory"
		cat "$WORK/image.cpio" "$directory/modules.cpio" > "$directory/initrd"
		boot "$package" "$directory" "$(sections_of "$version")"
	fi
}

# sections_of VERSION: the sections of guest.sh; nothing for all.
sections_of() {
	if [ -n "${KERNELS_SECTIONS:-}" ]; then
		echo "$KERNELS_SECTIONS"
	elif [ "$1" != 6.1 ]; then
		echo "$LATER_SECTIONS"
	fi
}

# boot PACKAGE DIRECTORY SECTIONS: starts QEMU in the background; it ends when the guest powers off. The guest has four
# network cards on one hub, and no other network. QEMU emulates an instruction that copies or clears bytes (ERMS) byte by
# byte, so the kernel must not use them. The kernel clears no memory in advance. It does not check the timer: on a busy host the ticks
# come too late, and the kernel would panic at boot ("IO-APIC + timer doesn't work").
boot() {
	local package=$1 directory=$2 sections=$3 nics=() i
	for i in 1 2 3 4; do
		nics+=(-netdev "hubport,id=net$i,hubid=0" -device "virtio-net-pci,netdev=net$i,mac=52:54:00:00:00:0$i,romfile=")
	done
	timeout --kill-after=5 "$BOOT_SECONDS" $QEMU -machine q35,accel=tcg -cpu max,-erms -smp 2 -m 2048 \
		-nodefaults -no-user-config -no-reboot -display none \
		-serial "file:$directory/console" -serial "file:$directory/report" \
		-kernel "$CACHE/packages/$package"/boot/vmlinuz-* -initrd "$directory/initrd" "${nics[@]}" \
		-append "console=ttyS0 quiet panic=-1 init_on_alloc=0 mitigations=off no_timer_check ${sections:+-- $sections}" \
		< /dev/null > "$directory/qemu.log" 2>&1 &
	VM[${directory##*/}]=$!
}

# report_guest VERSION: waits for the guest and adds its report to this one.
report_guest() {
	local version=$1 directory=$WORK/$1 status=0
	if [ -e "$directory/why" ]; then
		skip "Linux $version" "$(cat "$directory/why")"
		return
	fi
	wait "${VM[$version]}" || status=$?
	unset "VM[$version]"
	relay_guest "Linux $version" "$directory" "$status"
	diag "Linux $version finished after $SECONDS s"
}

# --- main

for command in $QEMU busybox cpio; do
	if ! command -v "$command" > /dev/null; then
		skip "other kernels" "$command is not installed"
		tap_end
		exit
	fi
done
if [ "$(dpkg --print-architecture)" != amd64 ]; then
	skip "other kernels" "for amd64 only"
	tap_end
	exit
fi
mapfile -t TESTS < <(for test in tests/prog/test_*.c; do echo "build/${test%.c}"; done)

[ $# -gt 0 ] || set -- 6.1 6.12
mkdir -p "$CACHE"
WORK=$(mktemp -d "$PWD/$CACHE/work.XXXXXX")
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
build_objects
make_image
# All kernels run at the same time, because they mostly wait.
for version; do
	start "$version"
done
for version; do
	report_guest "$version"
done
tap_end
