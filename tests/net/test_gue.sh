#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# GUE through a router that drops IP-in-IP, to backends with IPv4 and IPv6 addresses: outer headers, numbered packets,
# probes through the tunnel, and the path MTU.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/messages.sh
. tests/lib/numbered.sh

PORT=6080
COUNT=20 FIRST=0

start_capture() {
	rm -f "$LAB_DIR/router.pcap"
	lab_start capture router tshark -Q -i eth0 -f "dst port $PORT" -w "$LAB_DIR/router.pcap"
	# The file is created after the filter is set and before the first packet.
	wait_for 15 test -s "$LAB_DIR/router.pcap"
}

# captured FILTER FIELD: the field's values in the captured packets. A field of both headers is "outer,inner".
captured() {
	# The file may end with a truncated packet while tshark writes it.
	tshark -r "$LAB_DIR/router.pcap" -d "udp.port==$PORT,ip" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-Y "$1" -T fields -e "$2" 2> /dev/null || true
}

# decapsulated: the packets that decap has decapsulated on all backends
decapsulated() {
	local backend sum=0
	for backend in "${LAB_BACKENDS[@]}"; do
		sum=$((sum + $(lab_verdict decapsulated "$backend" decap_verdicts)))
	done
	echo $sum
}

# carry NAME STATUS: numbered packets pass the router. STATUS is the status of the UDP checksums of the outer and
# the inner header, as tshark prints it: 1 is good, 3 is not present.
carry() {
	local before calls='udp.dstport == 5060'
	before=$(decapsulated)
	start_capture
	PACKETS_A_SECOND=1000 through "$1: calls pass a router that drops IP-in-IP" sleep 1
	check "... decap has removed the outer headers of all packets" [ $(($(decapsulated) - before)) -ge "$(result sent)" ]
	sleep 1 # tshark writes with a delay
	lab_stop capture || true
	is "... all packets have the destination port of GUE" "$(captured "$calls" udp.dstport | sort -u)" "$PORT,5060"
	is "... the UDP checksums are correct" "$(captured "$calls" udp.checksum.status | sort -u)" "$2"
	check "... the source ports are different dynamic ports" source_ports_differ "$calls"
}

source_ports_differ() {
	local ports
	ports=$(captured "$1" udp.srcport | cut -d, -f1 | sort -nu)
	diag "$(wc -l <<< "$ports") source ports, from $(head -n 1 <<< "$ports") to $(tail -n 1 <<< "$ports")"
	[ "$(wc -l <<< "$ports")" -ge 50 ] && [ "$(head -n 1 <<< "$ports")" -ge 49152 ]
}

dropped() {
	lab_in router nft -j list ruleset | jq '[.. | .counter? // empty | .packets] | add'
}

has_dropped() {
	[ "$(dropped)" -gt 0 ]
}

none_is_up() {
	[ "$(lab_ctl --json backend list | jq "map(select(.state == \"up\")) | length")" -eq 0 ]
}

# send SIZE FRAGMENT: sends the next messages; the client's kernel knows no path MTU.
send() {
	lab_in client ip route flush cache
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/large.py send "$LAB_CLIENT" "$LAB_VIP" "$1" "$2" $FIRST $COUNT
}

path_mtu_is() {
	[ "$(lab_ctl --json backend list | jq -r '.[].path_mtu' | sort -un | xargs)" = "$1" ]
}

lab_open
lab_routed 2
lab_in router nft -f - <<- 'NFT'
	table inet cloud {
		chain forward {
			type filter hook forward priority 0
			meta l4proto { 4, 41 } counter drop
		}
	}
NFT
for backend in "${LAB_BACKENDS[@]}"; do
	lab_in "$backend" sipxdp-loader attach --program decap eth0 --from "$LAB_BALANCER" --from 2001:db8::/64 > /dev/null
done
LAB_POOL='probe: {type: icmp, interval: 500ms, timeout: 300ms, fall: 2, rise: 1}'
lab_config gue
lab_balance
like "plan and backend list name the method" "$(lab_ctl --json backend list | jq -r '.[].forward' | sort -u)" '^gue$'
carry "by IPv4" 3,1

lab_in balancer sed -i 's/10\.0\.1\.\(1[12]\)/"2001:db8:1::\1"/' "$LAB_CONFIG"
lab_ctl reload --move-calls > /dev/null
wait_for 10 lab_serving 2
carry "by IPv6" 1,1

is "the router has dropped nothing" "$(dropped)" 0
lab_in balancer sed -i 's/forward: gue/forward: ipip/' "$LAB_CONFIG"
lab_ctl reload > /dev/null
check "by IP-in-IP, the router drops the packets" wait_for 10 has_dropped
check "... and the probes fail" wait_for 10 none_is_up
lab_in balancer sed -i 's/forward: ipip/forward: gue/' "$LAB_CONFIG"
lab_ctl reload > /dev/null
check "by GUE, the backends are up again" wait_for 10 lab_serving 2

# --- a link with a smaller MTU

lab_in balancer sed -i 's/"2001:db8:1::\(1[12]\)"/10.0.1.\1/' "$LAB_CONFIG"
lab_ctl reload --move-calls > /dev/null
wait_for 10 lab_serving 2
receive_messages
for backend in "${LAB_BACKENDS[@]}"; do
	lab_in "$backend" ip link set dev eth0 mtu 1400
done
lab_in router ip link set dev eth1 mtu 1400
send 1450 may
check "the router's ICMP error about GUE is accepted" wait_for 5 path_mtu_is 1400
send 1450 may
arrive_at_owners large 1450 "... later messages are fragmented and arrive"
like "... status names the size that fits" "$(lab_ctl --json status | jq -r '.warnings[]')" "packets of more than 1372 bytes"
tap_end
