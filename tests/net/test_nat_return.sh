#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The counters of what servers with `forward: nat` send: a known number of responses of each kind, and the calls of sipp. The
# responses to health probes do not count. The counters survive a restart of the daemon.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CALLS=20

write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0, eth1]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		metrics: {listen: "127.0.0.1:9464"}
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		  - {name: missing, vip: $LAB_VIP, port: 5071, pool: missing}
		  - {name: broken, vip: $LAB_VIP, port: 5072, pool: broken}
		  - {name: uncounted, vip: $LAB_VIP, port: 5073, message_counters: false, pool: uncounted}
		pools:
		  - name: proxies
		    forward: nat
		    record_time: 0s
		    backends: [{name: px1, address: 10.0.1.11}]
		  - name: missing
		    forward: nat
		    record_time: 0s
		    probe: {type: options, interval: 200ms, timeout: 150ms}
		    backends: [{name: px2, address: 10.0.1.12}]
		  - name: broken
		    forward: nat
		    record_time: 0s
		    backends: [{name: px3, address: 10.0.1.13}]
		  - name: uncounted
		    forward: nat
		    record_time: 0s
		    backends: [{name: px4, address: 10.0.1.14}]
	YAML
}

# ask PORT METHOD COUNT: the client sends requests, one after the other, and prints the different status codes.
ask() {
	lab_in client timeout 20 python3 -c '
import socket, sys
vip, port, method, count = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((vip, int(port)))
codes = set()
for i in range(int(count)):
    s.send(f"{method} sip:b@{vip} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.100;branch=z9hG4bK{i}\r\nFrom: <sip:a@example.net>;tag=1\r\n"
        f"To: <sip:b@example.net>\r\nCall-ID: {port}-{method}-{i}@example.net\r\nCSeq: 1 {method}\r\n"
        "Content-Length: 0\r\n\r\n".encode())
    codes.add(s.recv(4096).split(b" ")[1].decode())
print(*sorted(codes))' "$LAB_VIP" "$@"
}

# returned SERVICE CSEQ CODE
returned() {
	lab_ctl --json stats | jq "[.returned.responses[] | select(.service == \"$1\" and .cseq == \"$2\" and .code == \"$3\") |
		.messages] | add // 0"
}

# of BACKEND COUNTER
of() {
	lab_ctl --json stats | jq ".returned.backends[] | select(.name == \"$1\") | .$2"
}

# received NAME CODE CSEQ: the number of responses in the trace of a sipp client
received() {
	awk -F'\t' -v code="$2" -v cseq="$3" '$4 == "R" { split($7, line, " "); count += line[2] == code && $6 ~ cseq }
		END { print count + 0 }' "$LAB_DIR/$1.messages"
}

try_codes() {
	is "404 to each INVITE" "$(ask 5071 INVITE 7)" 404
	is "... and to each REGISTER" "$(ask 5071 REGISTER 5)" 404
	is "503 to each INVITE" "$(ask 5072 INVITE 11)" 503
	is "503 to each OPTIONS" "$(ask 5072 OPTIONS 3)" 503
	is "a service without message_counters responds, too" "$(ask 5073 INVITE 4)" 200
	is "the service counts 404 to INVITE" "$(returned missing INVITE 404)" 7
	is "... and to REGISTER" "$(returned missing REGISTER 404)" 5
	is "the service counts 503 to INVITE" "$(returned broken INVITE 503)" 11
	is "... and to a different method" "$(returned broken other 503)" 3
	is "the backend counts responses 4xx to INVITE" "$(of px2 invite_4xx)" 7
	is "... and 4xx to other methods, without those to probes" "$(of px2 other_4xx)" 5
	is "... and no other packets" "$(of px2 packets)" 12
	is "the backend counts responses 5xx to INVITE" "$(of px3 invite_5xx)" 11
	is "backend list prints the same counters" \
		"$(lab_ctl --json backend list | jq -c '[.[] | select(.name == "px3") | .returned | .invite_5xx, .other_5xx]')" "[11,3]"
	is "a service without message_counters counts nothing" "$(of px4 packets) $(lab_ctl --json stats |
		jq '[.returned.services[] | select(.name == "uncounted")] | length')" "0 0"
	is "the other direction is counted separately" "$(lab_ctl --json stats |
		jq '[.responses[].messages, 0] | add')" 0
	like "stats prints the responses" "$(lab_ctl stats)" "missing +INVITE +404 +7"
}

try_calls() {
	sip_client calls client "$LAB_CLIENT" call $CALLS 20 -d 100 -s callee -trace_shortmsg \
		-shortmessage_file "$LAB_DIR/calls.messages"
	check "$CALLS calls succeed" lab_wait calls 40
	is "each 200 is counted" "$(($(returned sip INVITE 200) + $(returned sip other 200)))" "$(received calls 200 .)"
	is "... and each 180" "$(returned sip INVITE 180)" "$(received calls 180 .)"
	is "the backend counts them by class" "$(($(of px1 invite_2xx) + $(of px1 other_2xx)))" "$(received calls 200 .)"
}

# explained SOURCE PORT: the steps of a packet from this address and port to the client
explained() {
	lab_in balancer python3 -c '
import struct, socket, sys
mac, source, port, destination = sys.argv[1:]
payload = b"SIP/2.0 200 OK\r\n\r\n"
udp = struct.pack("!HHHH", int(port), 5060, 8 + len(payload), 0) + payload
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
frame = bytes.fromhex(mac.replace(":", "")) + bytes(6) + b"\x08\x00" + ip + udp
sys.stdout.buffer.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
' "$(lab_in balancer cat /sys/class/net/eth1/address)" "$1" "$2" "$LAB_CLIENT" > "$LAB_DIR/packet.pcap"
	lab_ctl explain "$LAB_DIR/packet.pcap"
}

try_explain() {
	local text before
	before=$(of px3 packets)
	text=$(explained 10.0.1.13 5072)
	like "explain names the server that sends a packet" "$text" "backend px3 \\(forward: nat\\)"
	like "... and its new source" "$text" "the source becomes $LAB_VIP:5072 \\(service broken\\)"
	unlike "a port without a service has no new source" "$(explained 10.0.1.13 9999)" "the source becomes"
	is "explain counts nothing" "$(of px3 packets)" "$before"
}

try_trace() {
	lab_start trace balancer sh -c "exec sipxdp-ctl trace --backend px3 --verdict nat_out --count 1 > $LAB_DIR/trace.out"
	wait_for 10 test -s "$LAB_DIR/trace.out" # the header
	ask 5072 OPTIONS 1 > /dev/null
	check "trace selects the packets that a server sends" lab_wait trace 10
	like "... and names the server" "$(cat "$LAB_DIR/trace.out")" "10.0.1.13:5072 +503/OPTIONS .* nat_out +sender +px3"
}

metric() {
	lab_in balancer curl -sf http://127.0.0.1:9464/metrics | grep -F "$1 " | cut -d ' ' -f 2
}

try_metrics() {
	is "the metrics contain the responses of a service" \
		"$(metric 'sipxdp_service_returned_responses_total{service="broken",method="INVITE",code="503"}')" 11
	is "... and of a backend" "$(metric \
		'sipxdp_backend_returned_responses_total{pool="missing",backend="px2",method="other",class="4xx"}')" 5
	is "... and its packets" "$(metric 'sipxdp_backend_returned_packets_total{pool="missing",backend="px2"}')" 12
}

try_restart() {
	local before
	before=$(lab_ctl --json stats | jq -c .returned)
	lab_stop sipxdpd || true
	is "without the daemon, stats prints the same" "$(lab_ctl --json stats | jq -c .returned)" "$before"
	is "... and backend list, too" "$(lab_ctl --json backend list | jq '.[] | select(.name == "px3") | .returned.invite_5xx')" 11
	lab_daemon
	is "a restarted daemon continues the counters" "$(lab_ctl --json stats | jq -c .returned)" "$before"
	ask 5072 INVITE 2 > /dev/null
	is "... with further responses" "$(returned broken INVITE 503)" 13
	lab_in balancer sed -i 's/message_counters: false, //' "$LAB_CONFIG"
	lab_ctl reload > /dev/null
	is "after a reload, the other service counts its responses" "$(ask 5073 INVITE 4) $(returned uncounted INVITE 200)" "200 4"
}

lab_open
lab_nat 4
write_config
sip_answer px1 px1 10.0.1.11
lab_start px2 px2 python3 tests/net/answer.py udp 10.0.1.12 5071 "404 Not Found"
lab_start px3 px3 python3 tests/net/answer.py udp 10.0.1.13 5072 "503 Service Unavailable"
lab_start px4 px4 python3 tests/net/answer.py udp 10.0.1.14 5073 "200 OK"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
wait_for 15 lab_serving 4
try_codes
try_calls
try_explain
try_metrics
try_restart
try_trace
tap_end
