#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Several services on one VIP: SIP over UDP with a separate pool for REGISTER, SIP over TCP by connection, and one
# with affinity to the client's address. Also ICMP: an error that a router sends to the VIP reaches the backend of
# the call.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies, methods: {REGISTER: registrars}}
		  - {name: sip-tcp, vip: $LAB_VIP, port: 5060, protocol: tcp, pool: proxies}
		  - {name: near, vip: $LAB_VIP, port: 5070, affinity: source, pool: proxies}
		pools:
		  - name: proxies
		    backends: [{name: px1, address: 10.0.0.11}, {name: px2, address: 10.0.0.12}]
		  - name: registrars
		    backends: [{name: px3, address: 10.0.0.13}]
	YAML
}

# tcp_answer NAME: starts a sipp that answers calls over TCP.
tcp_answer() {
	lab_start "$1-tcp" "$1" sipp -sf "$SIP_SCENARIOS/answer.xml" -i "$LAB_VIP" -p 5060 -t t1 -nostdin -skip_rlimit \
		-deadcall_wait 4000 -trace_shortmsg -shortmessage_file "$LAB_DIR/$1-tcp.messages" \
		-trace_err -error_file "$LAB_DIR/$1-tcp.errors"
	wait_for 5 lab_in "$1" sh -c "ss -Hlnt sport = :5060 | grep -q ."
}

calls() {
	sip_client "$@" && lab_wait "$1" 60
}

tcp_calls_of() {
	awk -F'\t' '$4 == "R" && $7 ~ /^INVITE/ { n++ } END { print n + 0 }' "$LAB_DIR/$1-tcp.messages"
}

# With one connection per call: both backends received a share, and together all calls.
both_have_calls() {
	local first second
	first=$(tcp_calls_of px1) second=$(tcp_calls_of px2)
	echo "px1: $first, px2: $second"
	[ "$first" -ge 30 ] && [ "$second" -ge 30 ] && [ $((first + second)) -eq 120 ]
}

# udp_from PORT TO_PORT: sends a datagram from the client's port to a port of the VIP.
udp_from() {
	lab_in client python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('$LAB_CLIENT', $1))
s.sendto(b'hello', ('$LAB_VIP', $2))"
}

backends_with_packets() {
	lab_ctl --json backend list proxies | jq '[.[] | select(.packets > 0)] | length'
}

# icmp_error_about CALL-ID: sends an ICMP error that quotes a response from the VIP with this Call-ID.
icmp_error_about() {
	lab_in client python3 - "$LAB_CLIENT" "$LAB_VIP" "$1" <<- 'PYTHON'
		import socket, struct, sys
		client, vip, call_id = sys.argv[1:]
		text = f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\r\n".encode()
		udp = struct.pack("!HHHH", 5060, 40000, 8 + len(text), 0) + text
		quoted = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
		quoted += socket.inet_aton(vip) + socket.inet_aton(client) + udp
		message = struct.pack("!BBHHH", 3, 3, 0, 0, 0) + quoted
		message += b"\0" * (len(message) % 2)
		total = sum(struct.unpack(f"!{len(message) // 2}H", message))
		while total >> 16:
		    total = (total & 0xFFFF) + (total >> 16)
		message = message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]
		socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(message, (vip, 0))
	PYTHON
}

packets_of() {
	lab_ctl --json backend list | jq ".[] | select(.name == \"$1\") | .packets"
}

lab_open
lab_flat 3
write_config
for backend in px1 px2; do
	sip_answer $backend $backend "$LAB_VIP"
	tcp_answer $backend
done
kamailio_start px3 px3 STATEFUL
lab_balance

check "20 phones register" calls register client "$LAB_CLIENT" register 20 20 -key contact_port 5060
is "... all of them at the registrar" "$(packets_of px3)" "$(lab_verdict call_id)"
is "... none of them at a proxy" "$(backends_with_packets)" 0
before=$(packets_of px3)
check "100 calls over UDP succeed" calls udp client "$LAB_CLIENT" call 100 50 -d 200
is "... none through the registrar" "$(packets_of px3)" "$before"
is "... one proxy receives all messages of a Call-ID" "$(sip_strays)" ""

check "60 calls over one TCP connection succeed" calls tcp1 client "$LAB_CLIENT" call 60 30 -t t1 -d 200
is "... through one proxy" "$(printf '%s\n' "$(tcp_calls_of px1)" "$(tcp_calls_of px2)" | sort -n | xargs)" "0 60"
: > "$LAB_DIR/px1-tcp.messages"
: > "$LAB_DIR/px2-tcp.messages"
check "120 calls, each over its own connection, succeed" calls tcpn client "$LAB_CLIENT" call 120 40 -t tn -d 200
check "... through both proxies" both_have_calls
check "the verdict of connections is flow" test "$(lab_verdict flow)" -gt 500

before=$(lab_verdict source)
for port in 40001 40002 40003 40004 40005 40006 40007 40008; do
	udp_from $port 5070
done
is "the verdict of eight packets to service near is source" "$(($(lab_verdict source) - before))" 8

owner=$(lab_ctl --json lookup sip call-of-the-error | jq -r '.[0].backend')
before=$(packets_of "$owner")
icmp_error_about call-of-the-error
is "the verdict of an ICMP error is icmp_error" "$(lab_verdict icmp_error)" 1
is "... the error reaches the owner of the quoted Call-ID" "$(($(packets_of "$owner") - before))" 1
tap_end
