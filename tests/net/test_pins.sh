#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Owner, mode and content of the pin directory: other users cannot replace pins or hold the locks, and foreign
# pins are named in the message.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PINS=/sys/fs/bpf/sipxdp
NOBODY=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# The kernel detaches the program some time after the last pin of its link was removed.
eth0_has_no_program() {
	lab_in balancer ip -j link show eth0 | jq -e '.[0].xdp | not'
}

loader() {
	lab_in balancer sipxdp-loader "$@"
}

# fails NAME REGEX COMMAND...: runs the command on the balancer; it must exit with status 1 and a matching message.
fails() {
	local name=$1 regex=$2 output status=0
	shift 2
	output=$(lab_in balancer timeout 20 "$@" 2>&1) || status=$?
	if [ $status -eq 1 ] && grep -Eq -- "$regex" <<< "$output"; then
		ok "$name"
	else
		not_ok "$name" "$(printf 'exit status %d; wanted to match: %s\n%s' $status "$regex" "$output")"
	fi
}

# all_refuse NAME REGEX: each program that uses pins must refuse them with this message and change nothing.
all_refuse() {
	local name=$1 regex=$2 before
	before=$(lab_in balancer find /sys/fs/bpf -printf '%p %m %u %i\n')
	fails "$name: attach" "$regex" sipxdp-loader attach -c "$LAB_CONFIG"
	fails "$name: upgrade" "$regex" sipxdp-loader upgrade
	fails "$name: detach" "$regex" sipxdp-loader detach
	fails "$name: status" "$regex" sipxdp-loader status
	fails "$name: sipxdpd" "$regex" sipxdpd -c "$LAB_CONFIG"
	fails "$name: sipxdp-ctl without a daemon" "$regex" sipxdp-ctl status
	is "... nothing is changed" "$(lab_in balancer find /sys/fs/bpf -printf '%p %m %u %i\n')" "$before"
}

mode_of() {
	lab_in balancer stat -c %a "$1"
}

# --- the directory

mounted_by_the_loader() {
	# shellcheck disable=SC2016 # $1 is the inner shell's
	is "a bpffs mounted by the loader and its directory are closed to other users" "$(
		lab_in balancer unshare --mount sh -c '
			umount /sys/fs/bpf && umask 0 && sipxdp-loader attach -c "$1" > /dev/null &&
			stat -c %A /sys/fs/bpf /sys/fs/bpf/sipxdp | cut -c 2-9 | xargs; sipxdp-loader detach > /dev/null' \
			sh "$LAB_CONFIG"
	)" "rwx----- rwx-----"
}

mounted_by_systemd() {
	# shellcheck disable=SC2016 # $1 is the inner shell's
	check "a bpffs with mode 0700, as systemd mounts it, is accepted" lab_in balancer unshare --mount sh -c '
		mount -t bpf -o mode=700 bpf /sys/fs/bpf && sipxdp-loader attach -c "$1" && sipxdp-loader status &&
		sipxdp-loader detach' sh "$LAB_CONFIG"
	is "a bpffs with mode 1777, the default, is accepted" "$(mode_of /sys/fs/bpf)" 1777
	check "... attach" loader attach -c "$LAB_CONFIG"
	is "... the directory is closed to other users" "$(mode_of $PINS)" 700
	check "... detach" loader detach
}

made_by_another_user() {
	lab_in balancer "${NOBODY[@]}" mkdir -m 700 $PINS
	all_refuse "a directory of another user" "$PINS: it belongs to user 65534.*rm -r"
	lab_in balancer rm -r $PINS
	lab_in balancer "${NOBODY[@]}" mkdir -m 755 /sys/fs/bpf/above
	lab_in balancer mkdir -m 700 /sys/fs/bpf/above/pins
	fails "a directory inside a directory of a different user" "/sys/fs/bpf/above: it belongs to user 65534" \
		sipxdp-loader attach -c "$LAB_CONFIG" --pin-dir /sys/fs/bpf/above/pins
	lab_in balancer rm -r /sys/fs/bpf/above
	lab_in balancer mkdir -m 700 /sys/fs/bpf/real
	lab_in balancer "${NOBODY[@]}" ln -s real $PINS
	all_refuse "a symbolic link of another user" "$PINS: it is a symbolic link"
	lab_in balancer rm $PINS
	lab_in balancer rmdir /sys/fs/bpf/real
}

open_to_others() {
	loader attach -c "$LAB_CONFIG" > /dev/null
	lab_in balancer chmod 770 $PINS
	all_refuse "a directory that a group can write to" "$PINS: other users can write to it.*chmod"
	lab_in balancer chmod 755 $PINS
	all_refuse "a directory that other users can open" "$PINS: other users can open it.*chmod 0700"
	lab_in balancer chmod 750 $PINS
	fails "a directory that a group other than the daemon's can open" "$PINS: other users can open it.*chmod 0700" \
		sipxdp-loader status
	lab_in balancer chmod 700 $PINS
	lab_in balancer chmod 777 /sys/fs/bpf
	all_refuse "a bpffs where other users can rename foreign files" "/sys/fs/bpf: other users can write to it"
	lab_in balancer chmod 1777 /sys/fs/bpf
	check "with the original modes detach works" loader detach
}

# --- the locks

# A user can lock each directory that it can open: the pin directory and those above it.
locks() {
	lab_start hog balancer "${NOBODY[@]}" flock /sys/fs/bpf sh -c "touch $LAB_DIR/hog.holds; sleep infinity"
	chmod 777 "$LAB_DIR"
	wait_for 10 test -e "$LAB_DIR/hog.holds"
	check "a different user locks bpffs: attach does not wait" lab_in balancer timeout 30 \
		sipxdp-loader attach -c "$LAB_CONFIG"
	check "... nor upgrade" lab_in balancer timeout 30 sipxdp-loader upgrade
	check "... nor sipxdpd" lab_daemon
	fails "... that user cannot lock the pin directory, whose lock sipxdpd holds" "Permission denied" \
		"${NOBODY[@]}" sh -c "flock -n $PINS true || exit 1"
	fails "... a second sipxdpd is refused" "another sipxdpd" sipxdpd -c "$LAB_CONFIG" --socket /run/second.sock
	lab_stop sipxdpd || true
	check "... nor detach" lab_in balancer timeout 30 sipxdp-loader detach
	is "... detach leaves no pins and no lock" "$(lab_in balancer sh -c "ls -d $PINS 2> /dev/null || true")" ""
	lab_stop hog || true
}

# Concurrent loaders create and remove the directory in turn, and all of them finish.
many_loaders() {
	local i status failed=0
	for ((i = 0; i < 8; i++)); do
		if ((i % 2)); then
			lab_start "turn$i" balancer sh -c "sipxdp-loader detach; sipxdp-loader attach -c $LAB_CONFIG; sipxdp-loader detach"
		else
			lab_start "turn$i" balancer sh -c "sipxdp-loader attach -c $LAB_CONFIG; sipxdp-loader detach"
		fi
	done
	for ((i = 0; i < 8; i++)); do
		status=0
		lab_wait "turn$i" 60 || status=$?
		[ $status -eq 0 ] || failed=$((failed + 1))
	done
	is "eight concurrent loaders that attach and detach all finish" $failed 0
	unlike "... none reports an error of the directory" "$(cat "$LAB_DIR"/turn*.log)" "cannot (lock|make|pin|remove|read)"
	is "... they leave nothing behind" "$(lab_in balancer sh -c "ls -d $PINS 2> /dev/null || true")$(lab_in balancer ip -j link show eth0 | jq -r '.[0].xdp // empty')" ""
}

# --- pins of a wrong type

pin_a_map() {
	lab_in balancer bpftool map create "$1" type hash key 8 value 8 entries 1 name foreign
}

pin_a_program() {
	lab_in balancer bpftool prog load "$LAB_DIR/pass.bpf.o" "$1" type xdp
}

stays() {
	check "... the pin stays" lab_in balancer test -e "$1"
}

another_type() {
	local name
	lab_in balancer mkdir -m 700 $PINS
	pin_a_program $PINS/contract
	fails "a program pinned as a map: attach says to remove it" "contract: an object of a different type is pinned there \(remove it with 'rm'" \
		sipxdp-loader attach -c "$LAB_CONFIG"
	check "... detach succeeds" loader detach
	stays $PINS/contract
	lab_in balancer rm $PINS/contract
	pin_a_map $PINS/contract
	fails "a map of a different type" "contract: an object of a different type is pinned there \(remove it with 'rm'" \
		sipxdp-loader attach -c "$LAB_CONFIG"
	stays $PINS/contract
	lab_in balancer rm $PINS/contract
	for name in services balancer; do
		pin_a_map $PINS/$name
		fails "a map pinned as $name" "$PINS/$name: an object of a different type is pinned there" sipxdp-loader attach -c "$LAB_CONFIG"
		check "... detach keeps the foreign pin" loader detach
		stays $PINS/$name
		lab_in balancer rm $PINS/$name
	done
	lab_in balancer mkdir -m 700 $PINS/links
	pin_a_map $PINS/links/eth0
	fails "a map pinned as a link" "$PINS/links/eth0: an object of a different type is pinned there" sipxdp-loader detach
	lab_in balancer rm -r $PINS/links
	lab_in balancer rmdir $PINS

	loader attach -c "$LAB_CONFIG" > /dev/null
	lab_in balancer rm $PINS/contract $PINS/links/eth0
	wait_for 10 eth0_has_no_program
	pin_a_program $PINS/contract
	fails "... among pins of sipxdp: attach points to detach" "'detach' removes the maps" \
		sipxdp-loader attach -c "$LAB_CONFIG"
	check "... detach removes them" loader detach
	is "... the directory is gone" "$(lab_in balancer sh -c "ls $PINS 2> /dev/null || true")" ""
}

# --- interfaces

without_ethernet() {
	lab_in balancer ip tuntap add dev tun0 mode tun
	lab_in balancer ip link set tun0 up
	lab_in balancer sed 's/^interfaces: .*/interfaces: [eth0, tun0]/' "$LAB_CONFIG" | lab_write balancer /etc/sipxdp/tun.yaml
	fails "an interface without Ethernet headers" "cannot attach to tun0: its packets have no Ethernet header" \
		sipxdp-loader attach -c /etc/sipxdp/tun.yaml
	fails "... decap refuses it, too" "cannot attach to tun0: its packets have no Ethernet header" \
		sipxdp-loader attach --program decap tun0 --address 10.0.0.9
	is "... and nothing is attached" "$(lab_in balancer ip -j link show | jq -r '.[] | select(.xdp) | .ifname')" ""
	lab_in balancer ip link del tun0
}

veth() {
	local output
	output=$(loader attach -c "$LAB_CONFIG" 2>&1)
	like "a veth device: attach warns about its peer" "$output" "eth0 is a veth device: .*ethtool -K PEER tx off"
	loader detach > /dev/null
	output=$(loader attach -c "$LAB_CONFIG" --mode generic 2>&1)
	unlike "... generic mode gives no such warning" "$output" "veth"
	loader detach > /dev/null
	lab_in balancer ip link add soft up type bridge
	lab_in balancer sed 's/^interfaces: .*/interfaces: [soft]/' "$LAB_CONFIG" | lab_write balancer /etc/sipxdp/soft.yaml
	unlike "a different device gives no such warning" "$(loader attach -c /etc/sipxdp/soft.yaml --mode generic 2>&1)" "veth"
	loader detach > /dev/null
	lab_in balancer ip link del soft
}

lab_open
lab_flat 1
lab_config dsr
mounted_by_the_loader
mounted_by_systemd
made_by_another_user
open_to_others
locks
many_loaders
another_type
without_ethernet
veth
tap_end
