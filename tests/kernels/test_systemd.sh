#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Installs the Debian packages on a Debian system with systemd in QEMU, without KVM, and runs guest_systemd.sh there: the
# units with all their restrictions. Prints TAP. Needs root, because it makes the system with debootstrap.
#
# Emulates a machine: systemd there has a kernel and a system of its own.
#
# usage: test_systemd.sh [VERSION]      the kernel: 6.1 (default) or 6.12
#
# Environment: KERNELS_SECONDS, the time limit (default 1800); KERNELS_KEEP, if not empty: keep the work directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/debian.sh
. tests/kernels/relay.sh
. tests/kernels/packages.sh

CACHE=build/kernels
KERNEL=${1:-6.1}
QEMU=qemu-system-x86_64
LATER=99.0
PATH=$PATH:/usr/sbin:/sbin

WORK=
VM=

finish() {
	local status=$?
	trap '' HUP INT TERM
	[ -z "$VM" ] || kill "$VM" 2> /dev/null || true
	wait
	[ -n "${KERNELS_KEEP:-}" ] || rm -rf "$WORK"
	[ -z "${KERNELS_KEEP:-}" ] || echo "the work directory is kept: $WORK" >&2
	exit $status
}

# skip_all REASON
skip_all() {
	skip "the units on Debian with systemd" "$1"
	tap_end
	exit
}

# make_image SYSTEM KERNEL-PACKAGE: the system runs from memory, so it needs no driver of a disk.
make_image() {
	local release
	IMAGE=$WORK/image
	cp -a "$1" "$IMAGE"
	rm -rf "$IMAGE"/usr/share/{doc,locale,man,info}/* "$IMAGE"/var/lib/apt/lists/* "$IMAGE"/etc/systemd/system/timers.target.wants
	mkdir "$IMAGE/packages"
	cp "$(debian_package sipxdp)" "$(debian_package sipxdp-decap)" "$IMAGE/packages"
	debian_later "$IMAGE/packages" $LATER
	env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$IMAGE" sh -c \
		'dpkg -i /packages/sipxdp*_0*.deb && rm /packages/sipxdp*_0*.deb' > "$WORK/dpkg.log" 2>&1 || return 1
	put "$(type -P jq)" /usr/local/bin/jq
	put "$(command -v ethtool)" /usr/local/bin/ethtool
	put "$(command -v corosync)" /usr/sbin/corosync
	put build/tests/tools/numbered /sipxdp/build/tests/tools/numbered
	cp --parents -t "$IMAGE/sipxdp" build/tests/lib/pass.bpf.o tests/lib/*.sh tests/kernels/*.sh
	install -m 644 tests/kernels/guest.service "$IMAGE/etc/systemd/system/guest.service"
	chroot "$IMAGE" systemctl -q enable guest.service
	ln -sf /lib/systemd/systemd "$IMAGE/init"
	release=$(ls "$CACHE/packages/$2/lib/modules")
	mkdir -p "$IMAGE/lib/modules/$release"
	cp -r "$CACHE/packages/$2/lib/modules/$release"/{kernel,modules.builtin,modules.order} "$IMAGE/lib/modules/$release"
	rm -rf "$IMAGE/lib/modules/$release"/kernel/drivers/{gpu,infiniband,md,media,scsi,usb} "$IMAGE/lib/modules/$release"/kernel/{fs,sound}
	chroot "$IMAGE" depmod "$release"
	touch "$IMAGE/etc/.updated" "$IMAGE/var/.updated" # systemd has no files to update at the first boot
	pack "$IMAGE" "$WORK/initrd"
}

# See boot() in test_kernels.sh.
boot() {
	timeout --kill-after=5 "${KERNELS_SECONDS:-1800}" $QEMU -machine q35,accel=tcg -cpu max,-erms -smp 2 -m 2048 \
		-nodefaults -no-user-config -no-reboot -display none \
		-serial "file:$WORK/console" -serial "file:$WORK/report" \
		-kernel "$CACHE/packages/$1"/boot/vmlinuz-* -initrd "$WORK/initrd" \
		-append "console=ttyS0 quiet panic=-1 init_on_alloc=0 mitigations=off no_timer_check systemd.mask=serial-getty@ttyS0.service systemd.mask=getty@tty1.service" \
		< /dev/null > "$WORK/qemu.log" 2>&1 &
	VM=$!
}

if [ ! -e build/deb/built ]; then
	echo "the packages are not built (make deb)" >&2
	exit 1
fi
for command in $QEMU cpio debootstrap; do
	command -v "$command" > /dev/null || skip_all "$command is not installed"
done
[ "$(dpkg --print-architecture)" = amd64 ] || skip_all "for amd64 only"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"

mkdir -p "$CACHE"
WORK=$(mktemp -d "$PWD/$CACHE/work.XXXXXX")
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
system=$(debian_root) || skip_all "debootstrap: $system"
package=$(newest_kernel $KERNEL)
[ -n "$package" ] || skip_all "apt has no package linux-image-$KERNEL.*-cloud-amd64-unsigned (apt-get update?)"
fetch "$package" || skip_all "$package cannot be fetched: $(tail -n 1 "$WORK/apt.log")"
check "a Debian system with the packages" make_image "$system" "$package"
boot "$package"
status=0
wait "$VM" || status=$?
VM=
relay_guest "systemd" "$WORK" "$status"
diag "finished after $SECONDS s"
tap_end
