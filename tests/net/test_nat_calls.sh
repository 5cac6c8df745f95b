#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Calls through servers with `forward: nat`: two Kamailio with the configuration of docs/servers.md, changed as docs/nat.md
# says. baresip phones on UDP, TCP and TLS, one of them behind a router with NAT; IPv6 calls of a client behind a router.
# Clients and servers that NAT cannot serve.
#
# Starts early: it takes nearly a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/phones.sh
. tests/lib/capture.sh

CALLEE6=2001:db8::200
FAR6=2001:db8:9::100

write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0, eth1]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		  - {name: sip-tcp, vip: $LAB_VIP, port: 5060, protocol: tcp, affinity: source, pool: proxies}
		  - {name: sip-tls, vip: $LAB_VIP, port: 5061, protocol: tcp, affinity: source, pool: proxies}
		  - {name: sip-6, vip: "$LAB_VIP6", port: 5060, pool: proxies-6}
		  - {name: sip-tcp-6, vip: "$LAB_VIP6", port: 5060, protocol: tcp, affinity: source, pool: proxies-6}
		pools:
		  - name: proxies
		    forward: nat
		    record_time: 0s
		    probe: {type: options, interval: 500ms, timeout: 400ms}
		    backends:
		      - {name: px1, address: 10.0.1.11, hints: [px1.sip.example.net]}
		      - {name: px2, address: 10.0.1.12, hints: [px2.sip.example.net]}
		  - name: proxies-6
		    forward: nat
		    record_time: 0s
		    probe: {type: options, interval: 500ms, timeout: 400ms}
		    backends:
		      - {name: px1, address: "2001:db8:1::11", hints: [px1-6.sip.example.net]}
		      - {name: px2, address: "2001:db8:1::12", hints: [px2-6.sip.example.net]}
	YAML
}

# run_blocks PAGE HOST: writes the files of the page to the host, and runs its commands for this host.
run_blocks() {
	local page=$1 host=$2 index _ action argument
	rm -rf "$LAB_DIR/page"
	mkdir "$LAB_DIR/page"
	tests/lib/readme-blocks "$page" "$LAB_DIR/page" > "$LAB_DIR/blocks"
	while read -r index _ action argument <&3; do
		case $action:$argument in
		file:/etc/kamailio/*) lab_write "$host" "$argument" < "$LAB_DIR/page/$index" ;;
		run:*$host*) lab_in "$host" bash -euo pipefail "$LAB_DIR/page/$index" ;;
		esac
	done 3< "$LAB_DIR/blocks" > "$LAB_DIR/page.log" 2>&1
}

start_server() {
	local name=$1 own6="[2001:db8:1::1${1#px}]"
	_lab_own_etc "$name"
	lab_in "$name" mkdir -p /etc/kamailio /run/kamailio
	lab_in "$name" cp "$LAB_DIR/sip.key" "$LAB_DIR/sip.pem" /etc/kamailio
	run_blocks docs/servers.md "$name"
	run_blocks docs/nat.md "$name"
	lab_start "$name" "$name" kamailio -f /etc/kamailio/kamailio.cfg -DD -E -m 64 -M 8 \
		-l "udp:$own6:5060/$name-6.sip.example.net:5060" -l "tcp:$own6:5060/[$LAB_VIP6]:5060"
}

# A client in a different network, behind a router.
far_client() {
	lab_peer gateway 150
	lab_plug gateway eth1 br9
	lab_address gateway eth1 2001:db8:9::1/64
	lab_in gateway sysctl -qw net.ipv6.conf.all.forwarding=1
	_lab_host far
	lab_plug far eth0 br9
	lab_address far eth0 $FAR6/64
	lab_in far ip -6 route add default via 2001:db8:9::1
	lab_in balancer ip -6 route add 2001:db8:9::/64 via 2001:db8::150
	lab_in callee ip -6 route add 2001:db8:9::/64 via 2001:db8::150
}

# calls6 NAME SCENARIO [SIPP OPTION...]: calls over IPv6 from the client behind the router.
calls6() {
	LAB_VIP="[$LAB_VIP6]" sip_client "$1" far $FAR6 "$2" 20 20 -s callee -p 5200 -key self "[$FAR6]:5200" "${@:3}"
	lab_wait "$1" 30 || { tail -n 3 "$LAB_DIR/$1.log" "$LAB_DIR/$1.errors" && return 1; }
}

register6() {
	LAB_VIP="[$LAB_VIP6]" sip_client register callee $CALLEE6 register 1 10 -s callee -p 5100 -key contact_port 5060
	lab_wait register 20
}

try_ipv6() {
	capture far far 'not icmp6'
	check "IPv6: a callee registers at the VIP" register6
	check "... both servers know it" wait_for 10 knows px1 callee
	check "... both servers know it" wait_for 10 knows px2 callee
	sip_answer callee callee $CALLEE6
	check "IPv6: the caller ends 20 calls" calls6 udp6 call -d 200
	check "... the same over TCP" calls6 tcp6 call -d 200 -t t1
	lab_stop callee || true
	sip_answer callee callee $CALLEE6 end
	check "IPv6: the callee sends a second INVITE and ends 20 calls" calls6 end6 begin
	lab_stop far || true
	check "... the client behind a router has received packets of the VIP" test "$(captured far "ipv6.src == $LAB_VIP6")" -gt 200
	is "... none with the address of a server" "$(captured far 'ipv6.src == 2001:db8:1::/64')" 0
	is "... none with a wrong checksum" "$(captured far "($WRONG) and ipv6.src == $LAB_VIP6")" 0
}

try_phones() {
	local host
	phone_on px1 udp udp
	phone_behind_nat
	phone_on px1 tcp1 tcp
	phone_on px1 tls1 tls
	phone_on px2 tls2 tls
	for host in px1 px2; do
		check "$host knows the phones on UDP, TCP and TLS" wait_for 30 knows "$host" udp nat tcp1 tls1 tls2
	done
	capture tls1 tls1 'tcp port 5061'
	check "each phone calls each other phone; re-INVITE and BYE from both sides" phones pairs udp nat tls1 tls2
	check "... TCP and TLS of two servers" phones pairs tcp1 tls2
	lab_stop tls1 || true
	check "... TLS packets come from the VIP" test "$(captured tls1 "ip.src == $LAB_VIP")" -gt 20
	is "... none with a wrong checksum" "$(captured tls1 "($WRONG) and ip.src == $LAB_VIP")" 0
}

# --- what NAT cannot serve

# say HOST SOURCE: sends a message to the VIP; prints "OPTIONS" or "nobody".
say() {
	lab_in "$1" timeout 10 python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 5300))
s.connect((sys.argv[2], 5060))
s.settimeout(1)
s.send(("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5300;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\n"
    "Call-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" % (sys.argv[2], sys.argv[1], sys.argv[3])).encode())
try:
    print(s.recv(2000).split()[2].decode())
except socket.timeout:
    print("nobody")' "$2" "$LAB_VIP" "$3"
}

# A client in the network of the servers: the server responds directly to it, with its own address.
try_hairpin() {
	_lab_host inside
	lab_plug inside eth0 br1
	lab_address inside eth0 10.0.1.50/24
	lab_in inside ip route add default via 10.0.1.2
	capture inside inside 'udp port 5060'
	is "a client in the network of the servers receives no response from the VIP" "$(say inside 10.0.1.50 inside)" nobody
	lab_stop inside || true
	is "... the server responds directly, with its own address" \
		"$(captured inside "ip.src == 10.0.1.0/24 and ip.dst == 10.0.1.50")" 1
	is "a server that calls the VIP, likewise" "$(say px1 10.0.1.11 "$(owned_call px2)")" nobody
	is "... other clients are served" "$(say client $LAB_CLIENT client)" OK
}

# owned_call SERVER: a Call-ID that belongs to this server.
owned_call() {
	local i
	for i in {1..50}; do
		[ "$(lab_ctl lookup sip "call$i" | cut -f2)" != "$1" ] || { echo "call$i" && return; }
	done
	return 1
}

# A server whose default route does not lead to the balancer is up, because probes come from its own network.
try_no_way_back() {
	lab_in px1 ip route del default
	is "a server without a route back: no client receives its responses" "$(say client $LAB_CLIENT "$(owned_call px1)")" nobody
	check "... its probes succeed" lab_all_up
	lab_in px1 ip route add default via 10.0.1.2
	is "... with the route, it serves" "$(say client $LAB_CLIENT "$(owned_call px1)")" OK
}

lab_open
lab_nat 2
lab_peer callee 200
far_client
lab_hosts px1 px2 <<- HOSTS
	127.0.0.1 localhost
	$LAB_VIP sip.example.net px1.sip.example.net px2.sip.example.net
	$LAB_VIP6 px1-6.sip.example.net px2-6.sip.example.net
HOSTS
certify
write_config
start_server px1
start_server px2
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
lab_daemon
check "both servers are up, over IPv4 and IPv6" wait_for 30 lab_all_up
# The page also names a third server, which does not exist here.
check "... each replicates its registrations to the other" wait_for 30 kamailio_has_peer 10.0.1.12 lab_in px1 kamcmd
check "... each replicates its registrations to the other" wait_for 30 kamailio_has_peer 10.0.1.11 lab_in px2 kamcmd
try_ipv6
try_phones
try_hairpin
try_no_way_back
tap_end
