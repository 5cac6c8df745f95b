#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Packets that the program punts to the daemon: they are forwarded in generic mode, too; a flood of
# orphan fragments does not keep the daemon from its work; packets that are too old are dropped.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/messages.sh

COUNT=50              # messages of a run
RATE=${RATE:-20000}   # orphans per second
FIRST=0               # number of the first message of a run

# try_fragments ORDER RATE NAME
try_fragments() {
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/fragments.py send "$LAB_CLIENT" "$LAB_VIP" 5060 "$1" $FIRST $COUNT 8 "$2"
	arrive_at_owners frag 3500 "$3"
}

# try_large NAME
try_large() {
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/large.py send "$LAB_CLIENT" "$LAB_VIP" 1450 may $FIRST $COUNT
	arrive_at_owners large 1450 "$1"
}

# status PATTERN: the number of packets in the rows of status whose text matches.
status() {
	lab_ctl --json status | jq --arg text "$1" '[.anomalies[] | select(.text | test($text)) | .packets] | add // 0'
}

status_is() {
	[ "$(status "$1")" -eq "$2" ]
}

# narrow INTERFACE: sets an MTU of 1400 on the routes to the backends, through this interface.
narrow() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in balancer ip route replace "10.0.0.$((10 + ${backend#px}))/32" dev "$1" mtu 1400
	done
	wait_for 5 mtu_is 1400 || true
}

# mtu_is MTU: do the routes to all backends have this MTU?
mtu_is() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/backends |
		jq -e --argjson mtu "$1" '[.[].formatted.value | select(.forward != 0) | .mtu] | length > 0 and all(. == $mtu)'
}

# --- generic mode

# Makes the balancer's interface a port of a bridge, as on a host of virtual machines.
bridged() {
	lab_in balancer ip link add lan type bridge stp_state 0 mcast_snooping 0
	lab_in balancer ip address flush dev eth0
	lab_in balancer ip link set dev eth0 master lan
	lab_in balancer ip link set dev lan address "$(lab_in balancer cat /sys/class/net/eth0/address)"
	lab_in balancer ip link set dev lan up
	lab_address balancer lan "$LAB_BALANCER/24" "$LAB_VIP/32"
	lab_in balancer sed -i 's/eth0/lan/' "$LAB_CONFIG"
}

generic_mode() {
	lab_flat 2
	lab_config dsr
	receive_messages
	bridged
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --mode generic > /dev/null
	lab_daemon
	wait_for 10 lab_serving 2
	try_fragments 210 200 "generic mode on a bridge: messages whose last fragment comes first arrive"
	narrow lan
	try_large "... and messages that the daemon fragments"
	check "... the daemon handled them" test "$(status 'since the daemon started: fragmented')" -ge $COUNT
	is "... and lost none" "$(status 'since the daemon started: dropped')" 0
}

# --- a flood

daemon_usec() {
	awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000000 / hz }' "/proc/${LAB_PROCESS[sipxdpd]}/stat"
}

flood() {
	local before held usec
	lab_flat 2
	lab_config dsr
	receive_messages
	lab_balance
	before=$(daemon_usec)
	lab_start orphans client build/tests/tools/orphans "$LAB_VIP" $((RATE * 30)) "$RATE"
	COUNT=400
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/fragments.py send "$LAB_CLIENT" "$LAB_VIP" 5060 210 $FIRST $COUNT 8 200
	wait_for 3 all_arrived frag 3500 || true
	is "a flood of orphan fragments: messages whose last fragment comes first still arrive" "$(lost)" 0
	check "... while the flood lasts" lab_running orphans
	lab_stop orphans || true
	usec=$(($(daemon_usec) - before))
	held=$(lab_verdict held_fragment)
	echo "# $held held, $usec us of the daemon's CPU time, $((usec / held)) us per fragment"
	check "... the flood was held" test "$held" -gt "$RATE"
	check "... all its fragments are dropped and counted" wait_for 10 all_ended
	COUNT=50
}

# Messages that did not arrive, except those sent while the daemon had no CPU for 200 ms.
lost() {
	local missing
	missing=$((COUNT - $(arrived frag 3500 | wc -l) - $(lab_verdict orphan_fragment) - $(status 'read them too late')))
	echo $((missing > 0 ? missing : 0))
}

# Two fragments of each message waited and were sent, with the same exception.
all_ended() {
	[ $(($(lab_verdict held_fragment) - $(status 'since the daemon started: dropped'))) -le $((2 * COUNT)) ]
}

# --- a stopped daemon

stopped() {
	local held
	narrow eth0
	lab_stop sipxdpd
	lab_in client tests/net/large.py send "$LAB_CLIENT" "$LAB_VIP" 1450 may 900000 100 # takes more than 500 ms
	held=$(lab_verdict oversize)
	check "without a daemon some packets are punted, because it may be back soon" test "$held" -gt 0
	check "... the others are passed to the kernel and counted" test "$(lab_verdict too_big)" -gt 0
	lab_daemon
	wait_for 10 lab_serving 2
	check "... after its start the daemon drops packets that are too old" wait_for 5 status_is "daemon read them too late" "$held"
	FIRST=900000
	is "... none of them arrives" "$(arrived large 1450)" ""
	FIRST=901000
	try_large "... and new messages arrive"
}

lab_open
generic_mode
lab_close
lab_open
flood
stopped
tap_end
