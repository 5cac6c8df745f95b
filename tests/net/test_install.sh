#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make install and make uninstall into a directory. Also: the programs run with only the capabilities that the
# systemd units grant.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PROGRAMS="sipxdp-ctl sipxdp-loader sipxdpd"
UNITS="sipxdp-decap@.service sipxdp-loader.service sipxdpd.service"

# files DIRECTORY: prints all files below the directory, sorted.
files() {
	(cd "$1" && find . -type f | sed 's|^\./||' | LC_ALL=C sort | xargs)
}

# install_into DIRECTORY [VARIABLE=VALUE...]
install_into() {
	make --no-print-directory install DESTDIR="$1" "${@:2}"
}

uninstall_from() {
	make --no-print-directory uninstall DESTDIR="$1" "${@:2}"
}

# commands UNITS-DIRECTORY: prints the programs that the units run.
commands() {
	sed -nE 's/^Exec[A-Za-z]+=-?([^ ]+).*/\1/p' "$1"/*.service | sort -u | xargs
}

# verify UNIT: fails on errors and warnings. For a template unit it verifies one instance.
verify() {
	local found status=0
	found=$(systemd-analyze verify --man=no --recursive-errors=no "${1/@/@eth0}" 2>&1) || status=$?
	[ -z "$found" ] || echo "$found"
	[ -z "$found" ] && [ $status -eq 0 ]
}

all_say_their_version() {
	local program
	for program in $PROGRAMS; do
		"$1/$program" --version | grep -q "^$program [0-9]" || return 1
	done
}

# man_finds DIRECTORY PAGE...: does man find these pages by name and section?
man_finds() {
	local directory=$1 page name
	shift
	for page; do
		name=$(basename "$page")
		MANPATH=$directory man -w "${name##*.}" "${name%.*}" || return 1
	done
}

# setting UNIT KEY: prints the last value of the key in the unit.
setting() {
	sed -n "s/^$2=//p" "systemd/$1" | tail -n 1
}

# capabilities UNIT KEY: prints the list of capabilities for an option of setpriv.
capabilities() {
	echo "-all,$(setting "$1" "$2" | tr '[:upper:]' '[:lower:]' | sed 's/cap_/+/g; s/ /,/g')" | sed 's/,$//'
}

# confined UNIT: prints the options of setpriv that limit a program to the user and the capabilities of the unit.
confined() {
	local user ambient
	user=$(setting "$1" User)
	ambient=$(capabilities "$1" AmbientCapabilities)
	echo "--bounding-set=$(capabilities "$1" CapabilityBoundingSet) --inh-caps=$ambient --ambient-caps=$ambient" \
		"--no-new-privs ${user:+--reuid=$user --regid=$(setting "$1" Group) --clear-groups}"
}

# What sysusers.d, tmpfiles.d, RuntimeDirectory= and udev do on a machine with systemd: with udev, all users can open /dev/net/tun.
prepare_user() {
	lab_in balancer sh -c '
		echo sipxdp:x:64998:64998::/run/sipxdp:/usr/sbin/nologin >> /etc/passwd
		echo sipxdp:x:64998: >> /etc/group
		umount /sys/fs/bpf && mount -t bpf -o mode=700 bpf /sys/fs/bpf
		systemd-tmpfiles --create "$PWD/systemd/tmpfiles.conf"
		install -d -m "$1" -o sipxdp -g sipxdp /run/sipxdp
		mount -t tmpfs -o mode=755 tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200
	' sh "$(setting sipxdpd.service RuntimeDirectoryMode)"
}

# as_unit UNIT COMMAND...: runs the command on the balancer with the capabilities of the unit.
as_unit() {
	local unit=$1
	shift
	# shellcheck disable=SC2046 # several options: split them
	lab_in balancer setpriv $(confined "$unit") "$@"
}

start_confined_daemon() {
	# shellcheck disable=SC2046
	lab_start sipxdpd balancer setpriv $(confined sipxdpd.service) sipxdpd -c "$LAB_CONFIG"
	wait_for 10 lab_answers && wait_for 10 lab_serving 3
}

# holds_no_more PROCESS UNIT: does the process have exactly the capabilities of the unit?
holds_no_more() {
	local bits=0 name number
	while read -r name number; do
		! grep -qw "$name" <<< "$(setting "$2" CapabilityBoundingSet)" || bits=$((bits | 1 << number))
	done < <(sed -nE 's/^#define (CAP_[A-Z_]+)[[:space:]]+([0-9]+)$/\1 \2/p' /usr/include/linux/capability.h)
	[ "$(awk '/^CapEff/ { print $2 }' "/proc/$1/status")" = "$(printf '%016x' $bits)" ]
}

# mode: how the daemon says that the balancer is attached to eth0.
mode() {
	lab_ctl --json status | jq -r '.interfaces[0].mode'
}

# foreign_program: the daemon without CAP_SYS_ADMIN distinguishes the balancer's program from other programs.
foreign_program() {
	local mode
	mode=$(mode)
	lab_in balancer sipxdp-loader upgrade > /dev/null
	is "... it finds the balancer on the interface, also after an upgrade" "$mode $(mode)" "native native"
	lab_in balancer mv /sys/fs/bpf/sipxdp/links/eth0 /sys/fs/bpf/eth0
	is "... a program with a different link does not count as the balancer" "$(mode)" none
	lab_in balancer mv /sys/fs/bpf/eth0 /sys/fs/bpf/sipxdp/links/eth0
}

# traces: the daemon replaces the program by the observer and back.
traces() {
	local plain
	plain=$(program)
	lab_start trace balancer sipxdp-ctl trace --source "$LAB_CLIENT" --count 1 --seconds 60
	check "... it puts the observer in place" wait_for 10 differs "$plain"
	is "... which the daemon knows as its own" "$(mode)" native
	lab_in client bash -c "echo ping > /dev/udp/$LAB_VIP/5060"
	check "... a packet is traced" lab_wait trace 10
	check "... and the balancer is in place again" wait_for 10 same "$plain"
}

# program: the id of the program on the interface.
program() {
	lab_in balancer ip -j link show eth0 | jq '.[0].xdp.prog.id'
}

same() {
	[ "$(program)" = "$1" ]
}

differs() {
	! same "$1"
}

# of PROCESS FIELD: prints a field of its status.
of() {
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# started_by_root: the daemon as an operator starts it by hand. It must drop the privileges that it does not need.
started_by_root() {
	local daemon child status=0
	lab_in balancer chown -R root:root /run/sipxdp
	lab_daemon
	daemon=${LAB_PROCESS[sipxdpd]}
	child=$(pgrep -P "$daemon")
	check "sipxdpd started by root keeps no more capabilities than its unit grants" holds_no_more "$daemon" sipxdpd.service
	is "... it cannot get further capabilities" "$(of "$daemon" CapBnd) $(of "$daemon" NoNewPrivs)" "$(of "$daemon" CapEff) 1"
	is "... its child process keeps CAP_SYS_ADMIN and CAP_NET_ADMIN" "$(of "$child" CapEff) $(of "$child" NoNewPrivs)" \
		"$(printf '%016x' $((1 << 21 | 1 << 12))) 1"
	is "... the control socket belongs to the group" "$(lab_in balancer stat -c '%A %U %G' /run/sipxdp/ctl.sock)" \
		"srw-rw---- root sipxdp"
	lab_in balancer rm /run/sipxdp/ctl.sock
	check "... also after the daemon has created it again" wait_for 10 lab_in balancer sh -c \
		'[ "$(stat -c "%A %U %G" /run/sipxdp/ctl.sock)" = "srw-rw---- root sipxdp" ]'
	kill -KILL "$child"
	lab_wait sipxdpd 10 || status=$?
	is "the daemon exits with its child process, so that systemd restarts it" $status 1
	like "... and logs the reason" "$(tail -n 3 "$LAB_DIR/sipxdpd.log")" "process that opens the probe sockets has exited"
}

# followed COUNT: checks that COUNT later fragments were forwarded like their first one.
followed() {
	[ "$(lab_verdict held_fragment)" -gt 0 ] && [ "$(lab_verdict fragment)" -ge "$1" ]
}

lab_open
root=$LAB_DIR/root
mkdir "$root"

check "make install" install_into "$root" PREFIX=/usr
is "... programs" "$(files "$root/usr/sbin")" "$PROGRAMS"
is "... units" "$(files "$root/usr/lib/systemd/system")" "$UNITS"
is "... the README, the files to which it refers, examples and monitoring" "$(files "$root/usr/share/doc/sipxdp")" \
	"$(printf '%s\n' README.md CHANGES.md docs/*.md docs/*/*.md yaml-examples/*.yaml monitoring/* | LC_ALL=C sort | xargs)"
is "... manual pages" "$(files "$root/usr/share/man")" \
	"$(for page in man/*; do echo "man${page##*.}/${page#man/}"; done | LC_ALL=C sort | xargs)"
check "... man finds each page" man_finds "$root/usr/share/man" man/*
is "... user and directories" "$(files "$root/usr/lib/sysusers.d") $(files "$root/usr/lib/tmpfiles.d")" "sipxdp.conf sipxdp.conf"
is "... bash completion" "$(ls "$root/usr/share/bash-completion/completions" | xargs)" "sipxdp $PROGRAMS"
is "... and nothing else" "$(files "$root" | xargs -n 1 | grep -cvE '^usr/(sbin|lib/systemd/system|lib/(sysusers|tmpfiles)[.]d|share/(bash-completion/completions|doc/sipxdp|man))/' || true)" 0
is "... all users can run the programs, and only root can write them" \
	"$(stat -c %a "$root"/usr/sbin/* | sort -u)" 755
is "... all users can read the other files" \
	"$(find "$root/usr/lib" "$root/usr/share" -type f -printf '%m\n' | sort -u)" 644
check "... each program runs" all_say_their_version "$root/usr/sbin"
is "... the units name the installed programs" "$(commands "$root/usr/lib/systemd/system")" \
	"/usr/sbin/sipxdp-ctl /usr/sbin/sipxdp-loader /usr/sbin/sipxdpd"
unlike "... and contain no placeholders" "$(cat "$root"/usr/lib/systemd/system/*)" '@PREFIX@'
check "... again, over existing files" install_into "$root" PREFIX=/usr

if command -v systemd-analyze > /dev/null; then
	mkdir -p "$LAB_DIR/prefix"
	install_into "" PREFIX="$LAB_DIR/prefix" > /dev/null
	for unit in $UNITS; do
		check "systemd-analyze verify finds no fault in $unit" verify "$LAB_DIR/prefix/lib/systemd/system/$unit"
	done
else
	skip "systemd-analyze verify finds no fault in the units" "no systemd-analyze (Debian package systemd)"
fi

echo "somebody else's" > "$root/usr/sbin/else"
check "make uninstall" uninstall_from "$root" PREFIX=/usr
is "... removes all files" "$(files "$root")" "usr/sbin/else"
check "... and the directory of the documentation" test ! -e "$root/usr/share/doc/sipxdp"
check "make install without PREFIX" install_into "$root"
is "... installs below /usr/local" "$(files "$root/usr/local/sbin")" "$PROGRAMS"
is "... and the units in a directory that systemd searches" "$(files "$root/usr/local/lib/systemd/system")" "$UNITS"
check "make uninstall" uninstall_from "$root"
is "... removes all files" "$(files "$root/usr/local")" ""

lab_flat 3
prepare_user
LAB_POOL="probe: icmp"
lab_config dsr
lab_in balancer chmod 640 "$LAB_CONFIG"
check "attach works with the capabilities of sipxdp-loader.service" \
	as_unit sipxdp-loader.service sipxdp-loader attach -c "$LAB_CONFIG"
check "... upgrade" as_unit sipxdp-loader.service sipxdp-loader upgrade -c "$LAB_CONFIG"
check "sipxdpd works with the capabilities of sipxdpd.service: all backends are up" start_confined_daemon
check "... it has no further capabilities" holds_no_more "${LAB_PROCESS[sipxdpd]}" sipxdpd.service
is "... it can use the pins, but not replace them" "$(lab_in balancer sh -c '
	stat -c "%A %U %G" /sys/fs/bpf /sys/fs/bpf/sipxdp /sys/fs/bpf/sipxdp/links /sys/fs/bpf/sipxdp/contract' | paste -sd ,)" \
	"drwx--x--- root sipxdp,drwxr-x--- root sipxdp,drwxr-x--- root sipxdp,-rw-rw---- sipxdp root"
is "... the control socket belongs to it and its group" "$(lab_in balancer stat -c '%A %U %G' /run/sipxdp/ctl.sock)" \
	"srw-rw---- sipxdp sipxdp"
check "... a member of the group can use it" lab_in balancer setpriv --reuid=65534 --regid=64998 --clear-groups sipxdp-ctl status
check "... no other user can open its directory and lock it" lab_in balancer sh -c \
	'! setpriv --reuid=65534 --regid=65534 --clear-groups flock --nonblock /run/sipxdp true 2> /dev/null'
is "... status has no warning" "$(lab_ctl --json status | jq -c .warnings)" '[]'
foreign_program
traces
lab_in balancer sed -i '$a limits: {backends: 2000}' "$LAB_CONFIG"
check "... an upgrade to new maps, with the capabilities of the loader's unit" \
	as_unit sipxdp-loader.service sipxdp-loader upgrade -c "$LAB_CONFIG"
check "... every backend serves" wait_for 10 lab_serving 3
check "... a backend is set to maint" lab_ctl backend maint proxies px1
check "... it owns no slots" lab_serving 2
check "... the reload command of the unit works" as_unit sipxdpd.service sipxdp-ctl reload
lab_in client tests/net/fragments.py send "$LAB_CLIENT" "$LAB_VIP" 5060 201 1 8 4 100
check "... fragments that arrived before their first fragment are forwarded" wait_for 3 followed 16
check "... it stops" lab_stop sipxdpd
like "... these capabilities suffice for a probe: an echo request to the VIP on px2" \
	"$(as_unit sipxdpd.service build/tests/tools/probe-path ping "$LAB_VIP" 0 1 2 2>&1)" '^2 echo_reply$'
started_by_root
check "... leaves the balancer attached" lab_in balancer sh -c 'sipxdp-loader status | grep -q "^eth0 *attached"'
check "detach" as_unit sipxdp-loader.service sipxdp-loader detach
check "decap works with the capabilities of its unit" \
	as_unit sipxdp-decap@.service sipxdp-loader attach --program decap eth0 --from 10.0.0.2
check "... upgrade" as_unit sipxdp-decap@.service sipxdp-loader upgrade --program decap
check "... detach" as_unit sipxdp-decap@.service sipxdp-loader detach --program decap eth0
tap_end
