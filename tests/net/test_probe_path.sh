#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Probes to a VIP on one particular backend: by MAC address and by IP-in-IP; UDP, TCP and echo requests;
# IPv4 and IPv6. A backend that cannot receive calls cannot receive these probes either.
#
# Starts early: it takes nearly a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

LOCAL6=2001:db8::2 # the balancer's own
MAPS=/sys/fs/bpf/sipxdp

# balance FORWARD ADDRESS...: attaches the balancer with backends at these addresses, numbered from 1,
# and a service with a VIP of each family. The daemon stops once it has the routes: the replies go to
# one reader, the tool.
balance() {
	local forward=$1 address number=0
	shift
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			services:
			  - {name: sip, vip: [$LAB_VIP, "$LAB_VIP6"], port: 5060, pool: proxies}
			pools:
			  - name: proxies
			    forward: $forward
			    backends:
		YAML
		for address; do
			number=$((number + 1))
			echo "      - {name: n$number, address: \"$address\"}"
		done
	} | lab_write balancer "$LAB_CONFIG"
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
	lab_daemon
	wait_for 10 lab_serving $#
	lab_stop sipxdpd
}

# On every host with the VIP, a server responds with the host's name on port 5060.
listen_everywhere() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_start "$backend" "$backend" tests/net/named_echo.py "$backend" 5060 "$LAB_VIP" "$LAB_VIP6"
		wait_for 20 grep -q listening "$LAB_DIR/$backend.log"
	done
}

# probe KIND VIP PORT COUNT ID...: "TIMES ID RESPONSE, ..." sorted. "none": no response; for TCP this
# includes ICMP errors.
probe() {
	lab_in balancer build/tests/tools/probe-path "$@" 2>&1 |
		sed -E 's/- (no answer|Network is unreachable|No route to host)/none/' | sort | uniq -c | xargs -L 1 | paste -sd , | sed 's/,/, /g'
}

# every_kind NAME WANTED COUNT ID...: checks probes of every kind to both VIPs. An echo reply does not
# contain the host's name.
every_kind() {
	local name=$1 wanted=$2 kind vip
	shift 2
	for vip in "$LAB_VIP" "$LAB_VIP6"; do
		for kind in udp tcp; do
			is "$name: $kind to $vip" "$(probe $kind "$vip" 5060 "$@")" "$wanted"
		done
		is "$name: ping to $vip" "$(probe ping "$vip" 0 "$@")" "$(sed -E 's/px[0-9]/echo_reply/g' <<< "$wanted")"
	done
}

probe_addresses() {
	lab_in balancer bpftool -j map dump pinned $MAPS/probe_addresses | jq length
}

# All addresses, routes and links of the balancer.
network() {
	lab_in balancer sh -c 'ip -o link; ip -o address; ip route show table all; ip -6 route show table all' 2>&1 |
		sed -E 's/(expires|valid_lft|preferred_lft) [^ ]+//g'
}

# namespace_of PROCESS: the network namespace of the process that opens sockets for this one.
namespace_of() {
	readlink "/proc/$(pgrep -P "$1")/ns/net"
}

# Has every process left the namespace?
namespace_is_gone() {
	[ -z "$(find /proc/[0-9]*/fd /proc/[0-9]*/task/[0-9]*/ns -lname "$1" 2> /dev/null)" ]
}

start_staying() {
	lab_start staying balancer build/tests/tools/probe-path -s tcp "$LAB_VIP" 5060 3 1 2
	wait_for 5 six_answers
}

six_answers() {
	[ "$(grep -c px "$LAB_DIR/staying.log")" -eq 6 ]
}

no_connection_is_left() {
	[ -z "$(lab_in "$1" ss -Htan state connected)" ]
}

start_capture() {
	lab_start capture px1 tshark -Q -i eth0 -f "src host $LAB_BALANCER or src host $LOCAL6" -w "$LAB_DIR/px1.pcap"
	wait_for 15 test -s "$LAB_DIR/px1.pcap"
}

# "PROTOCOL STATUS" for the checksums of all packets from the balancer to the VIPs.
checksums() {
	tshark -r "$LAB_DIR/px1.pcap" -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE \
		-Y "ip.dst == $LAB_VIP or ipv6.dst == $LAB_VIP6" -T fields -E occurrence=f \
		-e ip.checksum.status -e udp.checksum.status -e tcp.checksum.status -e icmp.checksum.status \
		-e icmpv6.checksum.status 2> /dev/null | tr '\t' '-' | sort -u | paste -sd ' '
}

# --- by MAC address

lab_open
lab_flat 3
balance dsr 10.0.0.11 10.0.0.12 10.0.0.13
listen_everywhere
before=$(network)

start_capture
every_kind "by MAC address" "2 1 px1, 2 2 px2" 2 1 2
sleep 1 # tshark writes with a delay
lab_stop capture || true
is "all checksums are correct: IPv4, UDP, TCP, ICMP and ICMPv6" "$(checksums)" "----1 --1-- -1--- 1---1- 1--1-- 1-1---"
is "100 simultaneous probes to each of two backends: none is mixed up" "$(probe udp "$LAB_VIP" 5060 100 1 2)" "100 1 px1, 100 2 px2"
is "... nor by TCP" "$(probe tcp "$LAB_VIP" 5060 100 1 2)" "100 1 px1, 100 2 px2"
is "no process listens: the probe fails at once" "$(probe udp "$LAB_VIP" 5061 1 1)" "1 1 - Connection refused"
is "... nor on TCP" "$(probe tcp "$LAB_VIP6" 5061 1 1)" "1 1 - Connection refused"

lab_in px1 ip address del "$LAB_VIP/32" dev lo
lab_in px1 ip address del "$LAB_VIP6/128" dev lo
check "a backend without the VIP responds on its own address" lab_in balancer ping -c 1 -W 2 10.0.0.11
every_kind "... its probes fail" "1 1 none, 1 2 px2" 1 1 2
lab_in px1 sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
lab_in px1 ip route add "$LAB_VIP/32" dev eth0
lab_in px1 ip -6 route add "$LAB_VIP6/128" dev eth0
check "... it can forward packets through the balancer to a backend that has the VIP" lab_in px1 ping -c 1 -W 2 "$LAB_VIP"
is "... but it does not forward a probe" "$(probe udp "$LAB_VIP" 5060 6 1)" "6 1 none"
is "... nor in IPv6" "$(probe udp "$LAB_VIP6" 5060 6 1)" "6 1 none"
lab_in px1 sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
lab_in px1 ip route del "$LAB_VIP/32" dev eth0
lab_in px1 ip -6 route del "$LAB_VIP6/128" dev eth0
lab_address px1 lo "$LAB_VIP/32" "$LAB_VIP6/128"
is "... with the VIP again it responds to probes" "$(probe udp "$LAB_VIP" 5060 1 1)" "1 1 px1"

is "all replies were read" "$(lab_verdict lost_probe_reply)" 0
check "... and counted" test "$(lab_verdict probe_reply)" -ge 400
is "no address remains in probe_addresses" "$(probe_addresses)" 0
is "the balancer's network is unchanged" "$(network)" "$before"

# --- resources while probes run, and after SIGKILL

start_staying
is "one source address is in use" "$(probe_addresses)" 1
is "the balancer's network is unchanged while probes run" "$(network)" "$before"
is "all threads are in the balancer's namespace" \
	"$(readlink "/proc/${LAB_PROCESS[staying]}"/task/*/ns/net | sort -u)" "$(lab_in balancer readlink /proc/self/ns/net)"
check "connections are closed on both sides" wait_for 5 no_connection_is_left px1
namespace=$(namespace_of "${LAB_PROCESS[staying]}")
like "the probes have their own namespace" "$namespace" '^net:\[[0-9]+\]$'
lab_stop staying KILL || true
check "after SIGKILL the namespace is gone" wait_for 5 namespace_is_gone "$namespace"
is "... and no device or route remains" "$(network)" "$before"
is "the next run gets all replies and leaves nothing behind" "$(probe udp "$LAB_VIP" 5060 2 1 2) $(probe_addresses)" "2 1 px1, 2 2 px2 0"

lab_in balancer ip -6 address del "$LOCAL6/64" dev eth0
like "without an IPv4 address other than the VIP, no IPv4 probes" "$(probe udp "$LAB_VIP6" 5060 1 1)" 'Cannot assign requested address'
is "... IPv6 probes still work" "$(probe udp "$LAB_VIP" 5060 1 1)" "1 1 px1"
lab_close

# --- by IP-in-IP

lab_open
lab_routed 2
lab_in px1 sipxdp-loader attach --program decap eth0 > /dev/null
balance ipip 10.0.1.11 10.0.1.12 2001:db8:1::11
listen_everywhere
check "a backend that does not decapsulate responds on its own address" lab_in balancer ping -c 1 -W 2 10.0.1.12
every_kind "by IP-in-IP; one backend does not decapsulate" "2 1 px1, 2 2 none" 2 1 2
every_kind "by IP-in-IPv6" "2 3 px1" 2 3
is "100 simultaneous probes through tunnels of both families" "$(probe tcp "$LAB_VIP" 5060 100 1 3)" "100 1 px1, 100 3 px1"
lab_in px1 sipxdp-loader detach --program decap eth0 > /dev/null
is "a backend stops decapsulating: no response" "$(probe udp "$LAB_VIP" 5060 1 1 3)" "1 1 none, 1 3 none"

# --- through an interface without the program: replies must arrive on the other one

lab_in balancer sipxdp-loader detach > /dev/null
lab_second_arm
balance dsr 10.0.1.11 10.0.1.12
every_kind "sent through eth1, replies through eth0" "2 1 px1, 2 2 px2" 2 1 2
lab_in balancer ip address del "$LAB_BALANCER/24" dev eth0
is "eth0 has no address: the replies arrive on eth1, where no program sees them" "$(probe udp "$LAB_VIP" 5060 1 1)" "1 1 none"
tap_end
