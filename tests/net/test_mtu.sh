#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0 IP-in-IP backends on a path with an MTU of 1,400, clients with an MTU of 1,500:
# packets that are too large arrive in fragments, or their sender learns the MTU and sends smaller packets. No packet is
# lost.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/messages.sh

COUNT=100
SIZE=1450 # bytes of UDP payload
FIRST=0   # number of the first message of a run
ROOM=1380 # bytes of the largest IP packet: 1400 minus an IPv4 header
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

# oversize PATTERN: the number of oversize packets in the rows of status whose text matches.
oversize() {
	lab_ctl --json status |
		jq --arg word "$1" '[.anomalies[] | select(.verdict == "oversize" and (.text | test($word))) | .packets] | add // 0' |
		awk '{ print $1 - 0 }'
}

# The text of the program's own counter also contains the words after the colon.
fragmented() { oversize '^since the daemon started: fragmented'; }
answered() { oversize 'reported the MTU'; }
dropped() { oversize '^since the daemon started: dropped'; }

icmp_errors_are() {
	[ "$(answered)" -eq "$1" ]
}

# path_mtu VIP: the path MTU that the client knows.
path_mtu() {
	lab_in client ip route get "$1" | grep -o 'mtu [0-9]*' || echo unknown
}

forget_paths() {
	lab_in client ip route flush cache
	lab_in client ip -6 route flush cache
}

# icmp_errors FAMILY: the number of these ICMP errors that the client received.
icmp_errors() {
	case $1 in
	4) lab_in client nstat -asz IcmpInDestUnreachs ;;
	6) lab_in client nstat -asz Icmp6InPktTooBigs ;;
	esac | awk '/^Icmp/ { print $2 }'
}

# --- routes

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

# mtu_is MTU: do the routes to all backends have this MTU?
mtu_is() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/backends |
		jq -e --argjson mtu "$1" '[.[].formatted.value | select(.forward == 2) | .mtu] | length == 3 and all(. == $mtu)'
}

mtu_warning() {
	lab_ctl --json status | jq -r '.warnings[]' | grep MTU
}

warns_of() {
	mtu_warning | grep -qF "$1"
}

# --- tests

# try_fragmenting SOURCE VIP NAME
try_fragmenting() {
	local before
	before=$(fragmented)
	forget_paths
	FIRST=$((FIRST + COUNT))
	send "$1" "$2" may
	arrive_at_owners large $SIZE "$3: without Don't Fragment all $COUNT messages arrive complete at their owners"
	is "... status counts them as fragmented" "$(($(fragmented) - before))" $COUNT
}

# try_icmp_errors SOURCE VIP FAMILY NAME
try_icmp_errors() {
	local before errors
	before=$(answered)
	errors=$(icmp_errors "$3")
	forget_paths
	FIRST=$((FIRST + COUNT))
	send "$1" "$2" must-not
	wait_for 3 icmp_errors_are $((before + COUNT)) || true
	is "$4: status counts an ICMP error for each of $COUNT packets that must not be fragmented" "$(($(answered) - before))" $COUNT
	is "... the client receives the same number" "$(($(icmp_errors "$3") - errors))" $COUNT
	is "... the client knows the path MTU" "$(path_mtu "$2")" "mtu $ROOM"
	is "... none of the packets arrived" "$(arrived large $SIZE)" ""
	send "$1" "$2" path-mtu
	arrive_at_owners large $SIZE "... sent again, all arrive complete at their owners"
	is "... without more ICMP errors" "$(($(answered) - before))" $COUNT
}

try_tcp() {
	local before
	before=$(answered)
	forget_paths
	is "TCP: a megabyte arrives" "$(lab_in client timeout 20 tests/net/large.py stream "$LAB_CLIENT" "$LAB_VIP" 1048576)" 1048576
	check "... after an ICMP error to its sender" test "$(answered)" -gt "$before"
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

check "a route through a second interface has the MTU of that interface" wait_for 5 mtu_is 1400
like "status warns, and names the required MTU" "$(lab_ctl --json status | jq -r '.warnings[]')" \
	"pool proxies: packets of more than $ROOM bytes .* MTU of 1400 \\(see 'ip link show eth1'\\) and needs 1520"
try_fragmenting "$LAB_CLIENT" "$LAB_VIP" "IPv4"
try_icmp_errors "$LAB_CLIENT" "$LAB_VIP" 4 "IPv4"
try_icmp_errors "$SOURCE6" "$LAB_VIP6" 6 "IPv6"
try_tcp

route_mtu
check "a route through a router has the MTU of the route" wait_for 5 mtu_is 1400
like "... status names the command that shows it" "$(mtu_warning)" "MTU of 1400 \\(see 'ip route get 10\\.0\\.1\\.1[123]'\\) and needs 1520"
try_fragmenting "$LAB_CLIENT" "$LAB_VIP" "through a router"
try_icmp_errors "$LAB_CLIENT" "$LAB_VIP" 4 "through a router"

is "no packet was dropped" "$(dropped)" 0
is "no packet was passed to the kernel" "$(lab_verdict too_big)" 0
is "no outer packet was fragmented on its path" \
	"$(for backend in "${LAB_BACKENDS[@]}"; do lab_verdict decap_fragment "$backend" decap_verdicts; done | sort -u)" 0

lab_in balancer ip route replace 10.0.1.0/24 via 10.0.0.1
lab_in balancer ip link set dev eth0 mtu 1520
check "a route with a sufficient MTU" wait_for 5 mtu_is 1520
unlike "... gives no warning" "$(lab_ctl --json status | jq -r '.warnings[]')" "MTU"

lab_in balancer ip link set dev eth0 mtu 1500
lab_in balancer sh -c "echo '      - {name: px6, address: \"2001:db8:1::12\"}' >> $LAB_CONFIG"
lab_ctl reload > /dev/null
check "backends with outer headers of different length: the warning is about the longest" wait_for 5 warns_of \
	"more than 1460 bytes are fragmented or refused: the route to px6 has an MTU of 1500 (see 'ip link show eth0') and needs 1540"
is "... and is the only one for the pool" "$(mtu_warning | wc -l)" 1
tap_end
