#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What the program gives to the daemon: it goes on in generic mode too, a flood of fragments that
# belong to nothing takes nothing from it, and it is dropped when it is too old to be of use.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/messages.sh

COUNT=50              # messages of a run
RATE=${RATE:-20000}   # orphans a second
FIRST=0               # number of the first message of a run

# try_fragments ORDER RATE WORDS
try_fragments() {
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/fragments.py send "$LAB_CLIENT" "$LAB_VIP" 5060 "$1" $FIRST $COUNT 8 "$2"
	arrive_at_owners frag 3500 "$3"
}

# try_large WORDS
try_large() {
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/large.py send "$LAB_CLIENT" "$LAB_VIP" 1450 may $FIRST $COUNT
	arrive_at_owners large 1450 "$1"
}

# status PATTERN: packets of the rows of status whose text it matches.
status() {
	lab_ctl --json status | jq --arg text "$1" '[.anomalies[] | select(.text | test($text)) | .packets] | add // 0'
}

status_is() {
	[ "$(status "$1")" -eq "$2" ]
}

# narrow INTERFACE: the ways to the backends, by it, have an MTU of 1400.
narrow() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in balancer ip route replace "10.0.0.$((10 + ${backend#px}))/32" dev "$1" mtu 1400
	done
	wait_for 5 way_is 1400 || true
}

# way_is MTU: to all backends
way_is() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/backends |
		jq -e --argjson mtu "$1" '[.[].formatted.value | select(.forward != 0) | .mtu] | length > 0 and all(. == $mtu)'
}

# --- generic mode

# The balancer's interface becomes a port of a bridge, as on hosts of virtual machines.
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
	try_fragments 210 200 "generic mode on a bridge: messages whose fragments come last one first arrive"
	narrow lan
	try_large "... and those that are cut up"
	check "... the daemon had them" test "$(status 'were cut up')" -ge $COUNT
	is "... and lost none" "$(status 'of those were dropped')" 0
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
	is "a flood of orphans: all messages arrive whose fragments come last one first" "$(lost)" 0
	check "... while it lasted" lab_running orphans
	lab_stop orphans || true
	usec=$(($(daemon_usec) - before))
	held=$(lab_verdict held_fragment)
	echo "# $held held, $usec us of the daemon's time"
	check "... and was held" test "$held" -gt "$RATE"
	check "... at no more than 16 us for each" test $((usec / held)) -le 16
	check "... each of which is given up, and counted" wait_for 10 all_ended
	COUNT=50
}

# Messages that did not arrive, but for those that came while the daemon had no CPU for 200 ms.
lost() {
	local missing
	missing=$((COUNT - $(arrived frag 3500 | wc -l) - $(lab_verdict orphan_fragment) - $(status 'too late to them')))
	echo $((missing > 0 ? missing : 0))
}

# Of each message two fragments waited and went on, but as above.
all_ended() {
	[ $(($(lab_verdict held_fragment) - $(status 'of those were dropped'))) -le $((2 * COUNT)) ]
}

# --- a daemon that does not run

stopped() {
	local held
	narrow eth0
	lab_stop sipxdpd
	lab_in client tests/net/large.py send "$LAB_CLIENT" "$LAB_VIP" 1450 may 900000 100 # takes more than 500 ms
	held=$(lab_verdict oversize)
	check "without a daemon some packets are held, for it may be back at once" test "$held" -gt 0
	check "... and the others are left to the kernel, which says so" test "$(lab_verdict too_big)" -gt 0
	lab_daemon
	wait_for 10 lab_serving 2
	check "... back again it drops what is too old" wait_for 5 status_is "daemon came too late" "$held"
	FIRST=900000
	is "... so that none of it arrives" "$(arrived large 1450)" ""
	FIRST=901000
	try_large "... and new ones do"
}

lab_open
generic_mode
lab_close
lab_open
flood
stopped
tap_end
