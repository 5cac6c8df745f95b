#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Servers with `forward: nat`: they have no VIP, and the balancer is their router. Kamailio registers phones and relays
# calls to them from its service port. tshark verifies the checksums of all packets that the balancer sends.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/capture.sh

CLIENT6=2001:db8::${LAB_CLIENT##*.}
PHONES=4
VIP2=192.0.2.20 # for all ports of one server

write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0, eth1]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		  - {name: sip-tcp, vip: $LAB_VIP, port: 5060, protocol: tcp, affinity: source, pool: proxies}
		  - {name: sip-tls, vip: $LAB_VIP, port: 5061, protocol: tcp, affinity: source, pool: proxies}
		  - {name: media, vip: $LAB_VIP, port: 7000, pool: own-port}
		  - {name: one-to-one, vip: $VIP2, port: 0, pool: sbc}
		  - {name: one-to-one-tcp, vip: $VIP2, port: 0, protocol: tcp, pool: sbc}
		  - {name: sip-6, vip: "$LAB_VIP6", port: 5060, pool: proxies-6}
		  - {name: tcp-6, vip: "$LAB_VIP6", port: 7070, protocol: tcp, pool: one-6}
		pools:
		  - name: proxies
		    forward: nat
		    record_time: 0s
		    probe: {type: options, interval: 500ms, timeout: 400ms}
		    backends:
		      - {name: px1, address: 10.0.1.11, ports: 20000-20999, hints: [px1.lab]}
		      - {name: px2, address: 10.0.1.12, ports: 21000-21999, hints: [px2.lab]}
		  - name: sbc
		    forward: nat
		    record_time: 0s
		    probe: {type: icmp, interval: 500ms, timeout: 400ms}
		    backends:
		      - {name: px3, address: 10.0.1.13}
		  - name: own-port
		    forward: nat
		    port: 7070
		    record_time: 0s
		    backends:
		      - {name: px1, address: 10.0.1.11}
		  - name: proxies-6
		    forward: nat
		    record_time: 0s
		    backends:
		      - {name: px1, address: "2001:db8:1::11"}
		      - {name: px2, address: "2001:db8:1::12"}
		  - name: one-6
		    forward: nat
		    record_time: 0s
		    backends:
		      - {name: px1, address: "2001:db8:1::11"}
	YAML
}

# A proxy and registrar. It writes its own name into Via on UDP, because it forwards calls of TCP connections whose Call-ID
# may belong to the other server. Servers send messages to each other on port 5090.
start_server() {
	local name=$1 own=10.0.1.1${1#px} own6="[2001:db8:1::1${1#px}]"
	mkdir -p "$LAB_DIR/$name"
	lab_start "$name" "$name" kamailio -f "$SIP_SCENARIOS/kamailio.cfg" -DD -E -m 32 -M 4 -x fm -X fm -A TCP -A STATEFUL \
		-A "DMQ_SELF=\"sip:$own:5090\"" -A 'DMQ_PEER="sip:10.0.1.11:5090"' -Y "$LAB_DIR/$name" -P "$LAB_DIR/$name/pid" \
		-w "$LAB_DIR/$name" -l "udp:$own:5060/$name.lab:5060" -l "tcp:$own:5060/$LAB_VIP:5060" \
		-l "udp:$own6:5060/[$LAB_VIP6]:5060" -l "tcp:$own6:5060/[$LAB_VIP6]:5060" -l "udp:$own:5090"
	wait_for 10 sip_listens "$name" "$own"
}

# phones_do SCENARIO COUNT [SIPP OPTION...]: each phone runs the scenario COUNT times from its own port.
phones_do() {
	local scenario=$1 count=$2 i status=0
	shift 2
	for ((i = 0; i < PHONES; i++)); do
		sip_client "$scenario$i" client "$LAB_CLIENT" "$scenario" "$count" 10 -s "phone$i" -p $((5200 + i)) \
			-key self "$LAB_CLIENT:$((5200 + i))" "$@"
	done
	for ((i = 0; i < PHONES; i++)); do
		lab_wait "$scenario$i" 60 || { status=$? && tail -n 2 "$LAB_DIR/$scenario$i.log"; }
	done
	return $status
}

# say PORT [VIP SOURCE]: sends a datagram from the client to this port of the VIP; prints the name of the server that
# responds from the same port.
say() {
	printf '%s\thello\n' "$1" | lab_in client tests/net/say.py "${2:-$LAB_VIP}" "${3:-$LAB_CLIENT}"
}

# say_by_tcp PORT VIP: the same over TCP.
say_by_tcp() {
	lab_in client timeout 5 python3 -c 'import socket, sys
s = socket.create_connection((sys.argv[2], int(sys.argv[1])))
s.send(b"hello")
print(s.recv(100).split(b" ")[0].decode())' "$1" "$2"
}

# TLS servers that reverse each line.
start_tls() {
	local name
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=sip.example.net -days 2 \
		-keyout "$LAB_DIR/key.pem" -out "$LAB_DIR/cert.pem" 2> /dev/null
	for name in px1 px2; do
		lab_start "$name-tls" "$name" openssl s_server -accept 5061 -cert "$LAB_DIR/cert.pem" -key "$LAB_DIR/key.pem" \
			-rev
		wait_for 10 lab_in "$name" sh -c 'ss -Hlnt sport = :5061 | grep -q .'
	done
}

say_by_tls() {
	echo hello | lab_in client timeout 10 openssl s_client -connect "$LAB_VIP:5061" -CAfile "$LAB_DIR/cert.pem" \
		-verify_return_error -quiet 2> /dev/null
}

# say_much BYTES: a datagram that is fragmented in both directions; prints the size of the response.
say_much() {
	lab_in client timeout 5 python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[2], 20100))
s.send(b"x" * int(sys.argv[1]))
print(len(s.recv(9000)))' "$1" "$LAB_VIP"
}

# seen_from: the source address of a connection that px1 opens to a client, as the client sees it.
seen_from() {
	rm -f "$LAB_DIR/seen"
	lab_in callee timeout 10 python3 -c 'import socket
s = socket.create_server(("10.0.0.200", 8080))
print("ready", flush=True)
print(s.accept()[1][0], flush=True)' > "$LAB_DIR/seen" &
	wait_for 5 grep -q ready "$LAB_DIR/seen"
	lab_in px1 timeout 5 python3 -c 'import socket; socket.create_connection(("10.0.0.200", 8080))'
	wait $!
	tail -n 1 "$LAB_DIR/seen"
}

warns_of_forwarding() {
	lab_ctl status | grep 'responses of its servers are not translated: the kernel does not forward IPv4' > /dev/null
}

# explained: how the balancer processes a message to a service with a different port on the server
explained() {
	printf 'OPTIONS sip:a SIP/2.0\r\nCall-ID: a\r\n\r\n' > "$LAB_DIR/message"
	lab_ctl explain "$LAB_DIR/message" --service media --source "$LAB_CLIENT:5060"
}

# Sends a message whose response the daemon must send, because the kernel does not know the MAC address of the client. An
# ARP request of the client may undo the flush.
held() {
	lab_in balancer ip neigh flush dev eth0
	say 7000 >> "$LAB_DIR/held"
	[ "$(lab_verdict nat_held)" -gt 0 ]
}

# translate_by STATEMENT: loads the rules of docs/nat.md, with this statement.
translate_by() {
	# shellcheck disable=SC2016 # these are no expansions
	sed -n '/^```nft$/,/^```$/{/^```/!p}' docs/nat.md | sed "s/masquerade/$1/" | lab_in balancer nft -f -
	lab_in balancer nft list ruleset | grep "$1" > /dev/null
}

try_calls() {
	check "both servers are up: the probes go to their own addresses" wait_for 20 lab_all_up
	check "the phones register at the VIP" phones_register
	for i in 1 2; do
		check "px$i has all registrations" wait_for 5 has_registrations px$i
	done
	capture phones client 'net 10.0.1.0/24 or port 5060'
	sip_answer callee callee 10.0.0.200
	check "calls to registered phones succeed, and the caller ends them" phones_do call 10 -d 300
	check "... the same over TCP" phones_do call 5 -d 300 -t t1
	lab_stop callee || true
	sip_answer callee callee 10.0.0.200 end
	check "the callee sends a second INVITE and ends the call" phones_do begin 10
	lab_stop callee || true
	check "OPTIONS over IPv6 are answered from the VIP" options_by_ipv6
	lab_stop phones || true
	check "... the VIP is the source of more than 400 packets" test "$(captured phones "ip.src == $LAB_VIP or ipv6.src == $LAB_VIP6")" -gt 400
	is "... no packet has the address of a server" "$(captured phones 'ip.src == 10.0.1.0/24 or ipv6.src == 2001:db8:1::/64')" 0
	is "... no packet has a wrong checksum" "$(captured phones "($WRONG) and (ip.src == $LAB_VIP or ipv6.src == $LAB_VIP6)")" 0
}

options_by_ipv6() {
	LAB_VIP="[$LAB_VIP6]" sip_client options client "$CLIENT6" options 20 20
	lab_wait options 20
}

try_ports() {
	local name
	for name in px1 px2 px3; do
		lab_start "$name-echo" "$name" tests/net/named_echo.py "$name" 80,7070,20100,21100,65535 "10.0.1.1${name#px}" \
			"2001:db8:1::1${name#px}"
		wait_for 10 grep -q listening "$LAB_DIR/$name-echo.log"
	done
	like "explain shows the port of the server" "$(explained)" 'own-port/px1|px1 \(10.0.1.11:7070\)'
	capture ports client 'net 10.0.1.0/24 or udp or tcp or icmp'
	is "the server listens on a different port" "$(say 7000)" px1
	is "each range of media ports belongs to one server" "$(say 20100; say 21100)" "$(printf 'px1\npx2')"
	is "all ports of a VIP belong to one server" "$(say 80 $VIP2; say 65535 $VIP2)" "$(printf 'px3\npx3')"
	is "... all TCP ports, too" "$(say_by_tcp 80 $VIP2)" px3
	is "... a closed port is refused" "$(say 4000 $VIP2)" refused
	is "a closed port: the ICMP error of the server names the VIP" "$(say 20101)" refused
	is "fragments arrive in both directions" "$(say_much 3000)" 3004
	is "TCP over IPv6" "$(say_by_tcp 7070 "$LAB_VIP6")" px1
	check "a client whose MAC address the kernel must resolve" wait_for 10 held
	is "... receives its response" "$(sort -u "$LAB_DIR/held")" px1
	start_tls
	is "TLS" "$(say_by_tls)" olleh
	lab_stop ports || true
	is "... no packet has the address of a server" "$(captured ports 'ip.src == 10.0.1.0/24')" 0
	is "... no packet has a wrong checksum" "$(captured ports "($WRONG) and ip.src == 192.0.2.0/24")" 0
}

try_other_ports() {
	is "other connections of a server pass unchanged" "$(seen_from)" 10.0.1.11
	check "nftables masquerades them, by the rules of docs/nat.md" translate_by masquerade
	is "... they have the address of the balancer" "$(seen_from)" "$LAB_BALANCER"
	lab_in balancer nft delete table ip sipxdp
	lab_in balancer ip address add 10.0.0.3/24 dev eth0
	check "... or a different source, with snat to" translate_by "snat to 10.0.0.3"
	is "... they have this address" "$(seen_from)" 10.0.0.3
	is "... and the server responds to messages to the VIP as before" "$(say 7000)" px1
}

lab_open
lab_nat 3
lab_peer callee 200
lab_in callee ip route add 10.0.1.0/24 via "$LAB_BALANCER" # for connections that are not translated
lab_address balancer eth0 $VIP2/32
lab_in client ip route add $VIP2 dev eth0 src "$LAB_CLIENT"
write_config
lab_hosts px1 px2 <<< "$LAB_VIP px1.lab px2.lab"
start_server px1
start_server px2
wait_for 30 kamailio_has_peer 10.0.1.12 kamailio_rpc px1
wait_for 30 kamailio_has_peer 10.0.1.11 kamailio_rpc px2
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
lab_daemon
try_calls
try_ports
try_other_ports
is "no anomaly, no warning" "$(lab_ctl status | grep -E 'anomaly|warning' || true)" ""
lab_in balancer sysctl -qw net.ipv4.ip_forward=0
check "without ip_forward, status warns" warns_of_forwarding
is "... and responses are lost" "$(say 7000)" nobody
check "... the anomaly nat_no_route counts them" test "$(lab_verdict nat_no_route)" -gt 0
tap_end
