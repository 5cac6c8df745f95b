#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# `outer_source`: the outer source address of IP-in-IP depends on the Call-ID, for receive queues that are selected by
# addresses only. Router, decap and the path MTU as docs/install.md describes.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/messages.sh
. tests/lib/numbered.sh

COUNT=20 FIRST=0
PROBE='probe: {type: icmp, interval: 500ms, timeout: 300ms, fall: 2, rise: 1}'

# carry NAME FAMILY PREFIX-REGEX: numbered packets to the VIP; the outer sources at the router.
carry() {
	local field=ip.src
	[ "$2" = 4 ] || field=ipv6.src
	rm -f "$LAB_DIR/router.pcap"
	lab_start capture router tshark -Q -i eth0 -f "ip proto 4 or ip6 proto 4" -w "$LAB_DIR/router.pcap"
	wait_for 15 test -s "$LAB_DIR/router.pcap"
	PACKETS_A_SECOND=1000 through "$1: calls reach the backends" sleep 1
	stays
	sleep 1 # tshark writes with a delay
	lab_stop capture || true
	tshark -r "$LAB_DIR/router.pcap" -o ip.check_checksum:TRUE -Y udp.dstport==5060 -T fields -e $field -e udp.srcport \
		-e sip.Call-ID -e ip.checksum.status 2> /dev/null > "$LAB_DIR/packets" || true
	cut -d, -f1 "$LAB_DIR/packets" | cut -f1 | sort -u > "$LAB_DIR/sources"
	diag "$(wc -l < "$LAB_DIR/sources") outer sources, from $(head -n 1 "$LAB_DIR/sources") to $(tail -n 1 "$LAB_DIR/sources")"
	check "... with many outer sources" test "$(wc -l < "$LAB_DIR/sources")" -ge 50
	is "... all in the network" "$(grep -Evc "$3" "$LAB_DIR/sources")" 0
	is "... each call has one outer source" "$(awk '{ split($1, a, ","); print $3, a[1] }' "$LAB_DIR/packets" | sort -u |
		cut -d' ' -f1 | uniq -d | wc -l)" 0
	is "... and the IP checksums are correct" "$(cut -f4 "$LAB_DIR/packets" | grep -c 0)" 0
}

# send SIZE: sends the next messages; the client's kernel knows no path MTU.
send() {
	lab_in client ip route flush cache
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/large.py send "$LAB_CLIENT" "$LAB_VIP" "$1" may $FIRST $COUNT
}

path_mtu_is() {
	[ "$(lab_ctl --json backend list | jq -r '.[].path_mtu' | sort -un | xargs)" = "$1" ]
}

lab_open
lab_routed 2
lab_in router ip route add 172.16.0.0/16 via "$LAB_BALANCER"
lab_in router ip -6 route add 2001:db8:5::/64 via 2001:db8::2
lab_in balancer ip route add local 172.16.0.0/16 dev lo
lab_in balancer ip -6 route add local 2001:db8:5::/64 dev lo
for backend in "${LAB_BACKENDS[@]}"; do
	lab_in "$backend" sipxdp-loader attach --program decap eth0 --from 172.16.0.0/16 --from 2001:db8:5::/64 > /dev/null
done
LAB_POOL=$PROBE$'\nouter_source: 172.16.0.0/16'
lab_config ipip
lab_balance
carry "IPv4" 4 '^172\.16\.'

lab_in balancer sed -i -e 's/10\.0\.1\.\(1[12]\)/"2001:db8:1::\1"/' -e "s/172.16.0.0.16/'2001:db8:5::\\/64'/" "$LAB_CONFIG"
lab_ctl reload --move-calls > /dev/null
wait_for 10 lab_serving 2
carry "IPv6" 6 '^2001:db8:5::'

lab_config ipip
lab_ctl reload --move-calls > /dev/null
wait_for 10 lab_serving 2
receive_messages
for backend in "${LAB_BACKENDS[@]}"; do
	lab_in "$backend" ip link set dev eth0 mtu 1400
done
lab_in router ip link set dev eth1 mtu 1400
send 1450
check "the router's ICMP errors to these sources are accepted" wait_for 5 path_mtu_is 1400
send 1450
arrive_at_owners large 1450 "... later messages are fragmented and arrive"
tap_end
