#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Backends in IP-in-IP behind a path of 1,400 bytes, clients on one of 1,500: what does not
# fit arrives in fragments, or its sender is told and sends smaller packets. None is lost.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/messages.sh

COUNT=100
SIZE=1450 # bytes of UDP payload
FIRST=0   # number of the first message of a run
ROOM=1380 # bytes of an IP packet that fits: 1400 less an IPv4 header
SOURCE6=2001:db8::${LAB_CLIENT##*.}

listen_everywhere() {
	local backend
	receive_messages
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_start "$backend-tcp" "$backend" tests/net/large.py sink "$LAB_VIP"
		wait_for 5 lab_in "$backend" sh -c "ss -ltn | grep -q ':5061 '"
		lab_in "$backend" sipxdp-loader attach --program decap eth0 > /dev/null
	done
}

# send SOURCE VIP FRAGMENT
send() {
	lab_in client tests/net/large.py send "$1" "$2" $SIZE "$3" $FIRST $COUNT
}

# unusual WORD: of the packets that did not fit, how many were "cut", "told" or "dropped".
unusual() {
	lab_ctl --json status |
		jq --arg word "$1" '[.anomalies[] | select(.verdict == "oversize" and (.text | test($word))) | .packets] | add // 0' |
		awk '{ print $1 - 0 }'
}

# The line of the program's own counter has "cuts it up, or tells" in it.
cut() { unusual '^of those were cut'; }
told() { unusual 'senders told'; }
dropped() { unusual '^of those were dropped'; }

told_is() {
	[ "$(told)" -eq "$1" ]
}

# path_mtu VIP: as the client knows it.
path_mtu() {
	lab_in client ip route get "$1" | grep -o 'mtu [0-9]*' || echo unknown
}

forget_paths() {
	lab_in client ip route flush cache
	lab_in client ip -6 route flush cache
}

# icmp_errors FAMILY: how many of these the client has got.
icmp_errors() {
	case $1 in
	4) lab_in client nstat -asz IcmpInDestUnreachs ;;
	6) lab_in client nstat -asz Icmp6InPktTooBigs ;;
	esac | awk '/^Icmp/ { print $2 }'
}

# --- the ways

second_arm() {
	lab_second_arm
	lab_in balancer ip link set dev eth1 mtu 1400
}

route_mtu() {
	lab_in balancer ip address flush dev eth1
	lab_in balancer ip route replace 10.0.1.0/24 via 10.0.0.1 mtu 1400
}

narrow_backends() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" ip link set dev eth0 mtu 1400
	done
	lab_in router ip link set dev eth1 mtu 1400
}

# way_is MTU: to all backends
way_is() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/backends |
		jq -e --argjson mtu "$1" '[.[].formatted.value | select(.forward == 2) | .mtu] | length == 3 and all(. == $mtu)'
}

mtu_warning() {
	lab_ctl --json status | jq -r '.warnings[]' | grep MTU
}

warns_of() {
	mtu_warning | grep -qF "$1"
}

# --- what is tried

# try_cutting SOURCE VIP WORDS
try_cutting() {
	local before
	before=$(cut)
	forget_paths
	FIRST=$((FIRST + COUNT))
	send "$1" "$2" may
	arrive_at_owners large $SIZE "$3: without Don't Fragment all $COUNT arrive whole at the owner"
	is "... status says that so many were cut up" "$(($(cut) - before))" $COUNT
}

# try_telling SOURCE VIP FAMILY WORDS
try_telling() {
	local before errors
	before=$(told)
	errors=$(icmp_errors "$3")
	forget_paths
	FIRST=$((FIRST + COUNT))
	send "$1" "$2" must-not
	wait_for 3 told_is $((before + COUNT)) || true
	is "$4: the senders of $COUNT that must not be cut up are told, says status" "$(($(told) - before))" $COUNT
	is "... and so many errors came" "$(($(icmp_errors "$3") - errors))" $COUNT
	is "... the client knows the path's MTU" "$(path_mtu "$2")" "mtu $ROOM"
	is "... none of these arrived" "$(arrived large $SIZE)" ""
	send "$1" "$2" as-told
	arrive_at_owners large $SIZE "... sent again all arrive whole at the owner"
	is "... without any more errors" "$(($(told) - before))" $COUNT
}

try_tcp() {
	local before
	before=$(told)
	forget_paths
	is "TCP: a megabyte arrives" "$(lab_in client timeout 20 tests/net/large.py stream "$LAB_CLIENT" "$LAB_VIP" 1048576)" 1048576
	check "... since its sender was told" test "$(told)" -gt "$before"
}

lab_open
lab_routed 3
second_arm
narrow_backends
listen_everywhere
lab_config ipip
lab_in balancer sed -i "s/vip: .*/vip: [$LAB_VIP, '$LAB_VIP6']/" "$LAB_CONFIG"
lab_in balancer sed -i "s/^pools:/  - {name: tls, vip: $LAB_VIP, port: 5061, protocol: tcp, affinity: flow, pool: proxies}\n&/" "$LAB_CONFIG"
lab_balance

check "the way by a second interface has its MTU" wait_for 5 way_is 1400
like "status warns, and says which MTU is wanted" "$(lab_ctl --json status | jq -r '.warnings[]')" \
	"pool proxies: packets of more than $ROOM bytes .* MTU of 1520, and has 1400 \\(see 'ip link show eth1'\\)"
try_cutting "$LAB_CLIENT" "$LAB_VIP" "IPv4"
try_telling "$LAB_CLIENT" "$LAB_VIP" 4 "IPv4"
try_telling "$SOURCE6" "$LAB_VIP6" 6 "IPv6"
try_tcp

route_mtu
check "the way through a router has its route's MTU" wait_for 5 way_is 1400
like "... to which status points" "$(mtu_warning)" "MTU of 1520, and has 1400 \\(see 'ip route get 10\\.0\\.1\\.1[123]'\\)"
try_cutting "$LAB_CLIENT" "$LAB_VIP" "by a route"
try_telling "$LAB_CLIENT" "$LAB_VIP" 4 "by a route"

is "none was dropped" "$(dropped)" 0
is "none was left to the kernel" "$(lab_verdict too_big)" 0
is "no outer packet was fragmented on its way" \
	"$(for backend in "${LAB_BACKENDS[@]}"; do lab_verdict decap_fragment "$backend" decap_verdicts; done | sort -u)" 0

lab_in balancer ip route replace 10.0.1.0/24 via 10.0.0.1
lab_in balancer ip link set dev eth0 mtu 1520
check "a way that is wide enough" wait_for 5 way_is 1520
unlike "... is nothing to warn of" "$(lab_ctl --json status | jq -r '.warnings[]')" "MTU"

lab_in balancer ip link set dev eth0 mtu 1500
lab_in balancer sh -c "echo '      - {name: px6, address: \"2001:db8:1::12\"}' >> $LAB_CONFIG"
lab_ctl reload > /dev/null
check "of several outer headers the longest counts" wait_for 5 warns_of \
	"more than 1460 bytes do not fit the way to px6, and are cut up or refused: it should have an MTU of 1540, and has 1500 (see 'ip link show eth0')"
is "... and is all that is said of the pool" "$(mtu_warning | wc -l)" 1
tap_end
