#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The Debian packages in a bare chroot, which is the balancer of the lab: install, forward, upgrade while numbered packets
# arrive, remove, install again, purge. tests/kernels/test_systemd.sh tests their units.
#
# Starts early: in a fresh clone it first installs a Debian system.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh
. tests/lib/debian.sh

LATER=99.0
ROOT= # of the chroot

# Mounts a copy of the cached system on the balancer. Changes go to memory.
make_chroot() {
	ROOT=$LAB_DIR/root
	# shellcheck disable=SC2016 # the variables are the inner shell's
	lab_in balancer sh -ec '
		mkdir "$2" && mount -t tmpfs tmpfs "$2" && mkdir "$2/upper" "$2/work" "$2/root"
		mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
		mount -t proc proc "$2/root/proc"
		mount --rbind /sys "$2/root/sys"
		mount --rbind /dev "$2/root/dev"
		mount -t tmpfs tmpfs "$2/root/run"
		mkdir "$2/root/packages"
		umount /sys/fs/bpf && mount -t bpf -o mode=700 bpf /sys/fs/bpf
		mount --rbind /sys/fs/bpf "$2/root/sys/fs/bpf"' sh "$1" "$ROOT"
	ROOT=$ROOT/root
	lab_in balancer cp "$(debian_package sipxdp)" "$ROOT/packages/sipxdp_first.deb"
	lab_in balancer cp "$(debian_package sipxdp-decap)" "$ROOT/packages/sipxdp-decap_first.deb"
	lab_in balancer cp "$LAB_DIR"/later/*.deb "$ROOT/packages"
}

in_chroot() {
	lab_in balancer env -u LD_PRELOAD PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C \
		chroot "$ROOT" "$@"
}

# apt COMMAND...: apt-get; the lab has no network. Its output goes to apt.log.
apt() {
	in_chroot apt-get -q -y -o Dpkg::Options::=--force-confold "$@" > "$LAB_DIR/apt.log" 2>&1 || {
		tail -n 20 "$LAB_DIR/apt.log"
		return 1
	}
}

install_first() {
	apt install /packages/sipxdp_first.deb /packages/sipxdp-decap_first.deb
}

upgrade_packages() {
	apt install /packages/sipxdp_$LATER.deb /packages/sipxdp-decap_$LATER.deb
}

start_daemon() {
	lab_start sipxdpd balancer chroot "$ROOT" /usr/sbin/sipxdpd -c "$LAB_CONFIG"
	wait_for 10 answers
}

answers() {
	in_chroot sipxdp-ctl save
}

serving() {
	[ "$(in_chroot sipxdp-ctl --json backend list | jq "[.[] | select(.slots > 0)] | length")" -eq "$1" ]
}

program() {
	in_chroot sipxdp-loader status --json | jq -r '[.programs[].interfaces[].program.id][0] // "none"'
}

upgraded() {
	upgrade_packages && lab_stop sipxdpd && start_daemon && serving 2
}

# through NAME COMMAND...: replaces the function of numbered.sh; the upgrade may take longer on a busy machine.
through() {
	local name=$1
	shift
	start_packets --rate 5000 --seconds 600
	check "$name" "$@"
	lab_stop numbered || true
	diag "$(cat "$LAB_DIR/numbered.log")"
	is "... none of $(result sent) packets is lost" "$(result lost)" 0
	is "... none is duplicated" "$(result duplicated)" 0
}

# found FILE...: prints the files that exist in the chroot.
found() {
	# shellcheck disable=SC2016 # the variables are the inner shell's
	in_chroot sh -c 'for file; do [ ! -e "$file" ] || echo "$file"; done' sh "$@" | xargs
}

lintian_finds() {
	lintian --allow-root --fail-on error,warning build/deb/*.changes 2>&1 || true
}

if [ ! -e build/deb/built ]; then
	echo "the packages are not built (make deb)" >&2
	exit 1
fi
is "lintian reports no error and no warning" "$(lintian_finds)" ""
is "the packages have the version of the programs" \
	"$(for package in sipxdp sipxdp-decap; do dpkg -f "$(debian_package $package)" Version; done | xargs)" \
	"$(build/sipxdpd --version | cut -d' ' -f2) $(build/sipxdpd --version | cut -d' ' -f2)"
is "no file is in both packages" "$(for package in sipxdp sipxdp-decap; do
	dpkg -c "$(debian_package $package)" | awk '$6 !~ /\/$/ { print $6 }'
done | sort | uniq -d)" ""
if ! system=$(debian_root); then
	skip "the packages in a chroot" "debootstrap: $system"
	tap_end
	exit
fi

lab_open
lab_flat 2
mkdir "$LAB_DIR/later"
debian_later "$LAB_DIR/later" $LATER
make_chroot "$system"

# --- a new installation

check "both packages install on a bare system" install_first
like "... the missing configuration file is reported" "$(cat "$LAB_DIR/apt.log")" "nothing is started yet. Write /etc/sipxdp/sipxdp.yaml"
is "... user and group exist" "$(in_chroot id -un sipxdp) $(in_chroot id -gn sipxdp)" "sipxdp sipxdp"
is "... the directory of the configuration is closed to other users" "$(in_chroot stat -c '%a %U %G' /etc/sipxdp)" \
	"2750 root sipxdp"
is "... the group can pass /sys/fs/bpf" "$(in_chroot stat -c '%a %U %G' /sys/fs/bpf)" "710 root sipxdp"
is "... the units are enabled" \
	"$(found /etc/systemd/system/multi-user.target.wants/sipxdp{d,-loader}.service | wc -w)" 2
is "... nothing is attached" "$(program)" none

lab_config dsr
lab_in balancer install -m 640 "$LAB_CONFIG" "$ROOT$LAB_CONFIG"
is "a new file in this directory can be read by the daemon" "$(in_chroot stat -c '%a %U %G' "$LAB_CONFIG")" "640 root sipxdp"
check "attach" in_chroot sipxdp-loader attach -c "$LAB_CONFIG"
check "... the daemon starts" start_daemon
check "... both backends serve" wait_for 10 serving 2
in_chroot sipxdp-ctl backend weight proxies px1 3 > /dev/null
in_chroot sed -i 's/^SIPXDP_DECAP_OPTIONS=.*/SIPXDP_DECAP_OPTIONS="--from 10.0.0.2"/' /etc/default/sipxdp-decap
in_chroot cat "$LAB_CONFIG" > "$LAB_DIR/before.yaml"
before=$(program)

# --- an upgrade

through "the packages are upgraded while packets arrive, and the daemon restarts" upgraded
stays
check "... the new program is in place" test "$(program)" != "$before"
is "... the weight that was set at run time survives" \
	"$(in_chroot sipxdp-ctl --json backend list | jq -c "[.[].weight]")" "[3,1]"
check "... the configuration file survives" in_chroot cmp "$LAB_CONFIG" - < "$LAB_DIR/before.yaml"
is "... an edited conffile survives" "$(in_chroot grep -c '^SIPXDP_DECAP_OPTIONS="--from 10.0.0.2"' /etc/default/sipxdp-decap)" 1

# --- a configuration file with faults

in_chroot sed -i 's/^interfaces:/interface:/' "$LAB_CONFIG"
before=$(program)
check "a file with faults does not stop the upgrade" apt install --reinstall /packages/sipxdp_$LATER.deb
like "... they are reported" "$(cat "$LAB_DIR/apt.log")" "sipxdp.yaml:1:1: .*interface"
is "... and the program stays as it is" "$(program)" "$before"
in_chroot chgrp root "$LAB_CONFIG"
check "a file that the daemon's user cannot read does not stop the upgrade" apt install --reinstall /packages/sipxdp_$LATER.deb
like "... it is reported, too" "$(cat "$LAB_DIR/apt.log")" "Permission denied"
is "... and the program stays as it is" "$(program)" "$before"
in_chroot chgrp sipxdp "$LAB_CONFIG"
in_chroot sed -i 's/^interface:/interfaces:/' "$LAB_CONFIG"

# --- the end

check "remove" apt remove sipxdp
is "... detaches the balancer" "$(program)" none
is "... the configuration stays" "$(found "$LAB_CONFIG" /usr/sbin/sipxdpd /usr/sbin/sipxdp-loader)" "$LAB_CONFIG /usr/sbin/sipxdp-loader"
lab_stop sipxdpd || true
check "installed again" upgrade_packages
check "... with the same file it attaches" in_chroot sipxdp-loader attach -c "$LAB_CONFIG"
check "a backend needs only the second package: remove the first" apt remove sipxdp
check "... decap attaches" in_chroot sipxdp-loader attach --program decap eth0 --from 10.0.0.2
before=$(program)
check "... a new version replaces it" apt install --reinstall /packages/sipxdp-decap_$LATER.deb
check "... the new version runs" test "$(program)" != "$before"
check "purge" apt purge sipxdp sipxdp-decap
is "... leaves no configuration, no program and no pin" \
	"$(found /etc/sipxdp /etc/default/sipxdp-decap /usr/sbin/sipxdpd /usr/sbin/sipxdp-loader /sys/fs/bpf/sipxdp)" ""
is "... and nothing attached" "$(lab_in balancer ip -j link show eth0 | jq -r '.[0].xdp // "none"')" none
is "... only the user remains" "$(in_chroot sh -c 'dpkg -l | grep -c sipxdp; id -un sipxdp')" "$(printf '0\nsipxdp')"
tap_end
