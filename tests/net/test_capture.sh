#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# `capture:` with real calls: each message that arrives at the VIP reaches the capture server once, with its addresses,
# also in fragments. A sample keeps whole calls. sngrep shows the calls. Without a capture server nothing else changes.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/numbered.sh

SERVER=10.0.0.50
SERVER6=2001:db8::50
CALLS=40

# capture [KEYS]: writes a file with these keys in `capture:`, reloads it, and waits until the daemon uses it.
capture() {
	local to=$1 begun=$2
	LAB_SECTIONS="metrics: {listen: '127.0.0.1:9464'}
capture: {to: 'udp:$to'${3:+, $3}}"
	write_config
	lab_ctl reload > /dev/null
	wait_for 5 sends_to "$to" "$begun"
}

write_config() {
	lab_config dsr
	lab_in balancer sed -i "s/vip: .*/vip: [$LAB_VIP, '$LAB_VIP6']/" "$LAB_CONFIG"
}

# sends_to TO TIMES: has the daemon begun to send there so many times?
sends_to() {
	[ "$(grep -cF "capture: sending to udp:$1" "$LAB_DIR/sipxdpd.log")" -ge "$2" ]
}

# server NAME ADDRESS: starts a capture server; its messages are the lines of $LAB_DIR/hep-NAME.log.
server() {
	lab_start "hep-$1" homer tests/net/hep.py "$2" 9060
	wait_for 10 lab_in homer sh -c "ss -lun | grep -q ':9060 '"
}

# server_end NAME
server_end() {
	lab_stop "hep-$1" || true
}

# has_lines NAME COUNT: has the capture server received so many messages?
has_lines() {
	[ "$(wc -l < "$LAB_DIR/hep-$1.log")" -ge "$2" ]
}

# calls NAME: makes CALLS calls.
calls() {
	sip_client "$1" client "$LAB_CLIENT" call "$CALLS" 100
	check "$1: the calls succeed" lab_wait "$1" 60
}

# "METHOD CALL-ID" of each message of the last client at the backends, and at a capture server.
at_backends() {
	{ sip_seen px1 && sip_seen px2; } | grep -F -- " $SIP_RUN-$SIP_CLIENTS-" | sort
}

at_server() {
	cut -d' ' -f1,2 "$LAB_DIR/hep-$1.log" | sort
}

same_as_backends() {
	[ "$(at_server "$1")" = "$(at_backends)" ]
}

# count KEY: a number of `capture` in the status.
count() {
	lab_ctl --json status | jq ".capture.$1"
}

counts() {
	lab_ctl --json status | jq -c '.capture | [.ring_full, .incomplete, .too_long, .unsent, .refused]'
}

lab_open
lab_flat 2
lab_peer homer 50
write_config
lab_balance

# --- fragments; no program receives them

# fragments SOURCE VIP ORDER FIRST
fragments() {
	lab_in client tests/net/fragments.py send "$1" "$2" 5060 "$3" "$4" 16 4 200
}

server fragments "$SERVER"
capture "$SERVER:9060" 1 "id: 101"
fragments "$LAB_CLIENT" "$LAB_VIP" 012 1000
fragments "$LAB_CLIENT" "$LAB_VIP" 210 1100
fragments "2001:db8::${LAB_CLIENT##*.}" "$LAB_VIP6" 012 1200
fragments "2001:db8::${LAB_CLIENT##*.}" "$LAB_VIP6" 102 1300
wait_for 10 has_lines fragments 64 || true
is "a message in fragments is captured once, whole, for both families and in any order" \
	"$(cut -d' ' -f2,5 "$LAB_DIR/hep-fragments.log" | sort)" \
	"$(for n in $(seq 1000 1015) $(seq 1100 1115) $(seq 1200 1215) $(seq 1300 1315); do echo "frag-$n 3500"; done | sort)"
is "... and nothing is lost" "$(counts)" "[0,0,0,0,0]"
fragments "$LAB_CLIENT" "$LAB_VIP" 01 1400
sixteen_incomplete() {
	[ "$(count incomplete)" -eq 16 ]
}
check "a message with a missing fragment is counted as lost after a second" wait_for 5 sixteen_incomplete
is "... and is not captured" "$(grep -c . "$LAB_DIR/hep-fragments.log")" 64

# Packets that are too large for the route: the daemon fragments them, and they pass the program again.
lab_in balancer ip route add 10.0.0.11/32 dev eth0 mtu 600
lab_in balancer ip route add 10.0.0.12/32 dev eth0 mtu 600
narrow_routes() {
	lab_ctl status | grep -q 'packets of more than 600 bytes'
}
check "the routes are narrow" wait_for 10 narrow_routes
lab_in client python3 -c '
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    out.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: IP_PMTUDISC_DONT
    for n in range(16):
        head = f"INVITE sip:b@example.net SIP/2.0\r\nCall-ID: large-{n}\r\n\r\n".encode()
        out.sendto(head + b"a" * (1200 - len(head)), (sys.argv[1], 5060))
' "$LAB_VIP"
wait_for 10 has_lines fragments 80 || true
is "a message that the daemon fragments is captured once" "$(sed -n 's/.* \(large-[0-9]*\) .* 1200 .*/\1/p' "$LAB_DIR/hep-fragments.log" | sort -V)" \
	"$(seq -f 'large-%g' 0 15)"
check "... and the daemon has fragmented them" test "$(lab_verdict oversize)" -eq 16
lab_in balancer ip route del 10.0.0.11/32
lab_in balancer ip route del 10.0.0.12/32
server_end fragments

# --- calls

sip_answer px1 px1 "$LAB_VIP"
sip_answer px2 px2 "$LAB_VIP"
server all "$SERVER"
calls all
wait_for 10 same_as_backends all || true
is "each message at the VIP is captured once" "$(at_server all)" "$(at_backends)"
is "... INVITE, ACK and BYE of each call" "$(at_server all | cut -d' ' -f1 | sort | uniq -c | awk -v least=$CALLS '$1 >= least { print $2 }' | xargs)" \
	"ACK BYE INVITE"
is "... with its addresses, and the id of the balancer" "$(cut -d' ' -f3,4,6- "$LAB_DIR/hep-all.log" | sort -u)" \
	"$LAB_CLIENT:5060 $LAB_VIP:5060 101 - -"
server_end all
like "status shows the target and the number of messages" "$(lab_ctl status)" \
	"^capture: +udp:$SERVER:9060, [0-9]+ messages sent, 16 with a missing fragment"
like "... and so do the metrics" "$(lab_in balancer curl -s http://127.0.0.1:9464/metrics)" \
	"^sipxdp_capture_sent_messages_total $(count sent)$"

server sample "$SERVER"
capture "$SERVER:9060" 1 "id: 102, sample: 2, password: secret, node: lb1"
sampled() {
	[ "$(count sample)" -eq 2 ]
}
check "a reload changes the sample" wait_for 5 sampled
calls sample
captured() {
	at_backends | grep -F -f <(cut -d' ' -f2 "$LAB_DIR/hep-sample.log" | sort -u)
}
whole_calls() {
	[ -s "$LAB_DIR/hep-sample.log" ] && [ "$(at_server sample)" = "$(captured)" ]
}
wait_for 10 whole_calls || true
is "sample: 2 keeps whole calls" "$(at_server sample)" "$(captured)"
sampled_calls=$(cut -d' ' -f2 "$LAB_DIR/hep-sample.log" | sort -u | wc -l)
check "... about half of $CALLS: $sampled_calls" test "$sampled_calls" -gt $((CALLS / 8)) -a "$sampled_calls" -lt $((CALLS * 7 / 8))
is "... with id, password and node" "$(cut -d' ' -f6- "$LAB_DIR/hep-sample.log" | sort -u)" "102 secret lb1"
server_end sample

server ipv6 "$SERVER6"
capture "[$SERVER6]:9060" 1
calls ipv6
wait_for 10 same_as_backends ipv6 || true
is "a capture server with an IPv6 address receives all messages" "$(at_server ipv6)" "$(at_backends)"
server_end ipv6

# --- sngrep, a real capture server

lab_start listener homer sngrep -N -q -L "udp:$SERVER:9061" -O "$LAB_DIR/sngrep.pcap"
wait_for 10 lab_in homer sh -c "ss -lun | grep -q ':9061 '"
capture "$SERVER:9061" 1
calls sngrep
wrote_all() {
	[ "$(seen_by_sngrep)" = "$(at_backends)" ]
}
seen_by_sngrep() {
	tshark -r "$LAB_DIR/sngrep.pcap" -Y "sip && ip.src == $LAB_CLIENT && ip.dst == $LAB_VIP" -T fields -E separator=' ' \
		-e sip.Method -e sip.Call-ID 2> /dev/null | sort
}
wait_for 10 wrote_all || true
lab_stop listener INT || true
is "sngrep writes the same messages to a file" "$(seen_by_sngrep)" "$(at_backends)"

# --- media at the port of the service

matched() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/observer_counters |
		jq '[.[].formatted.values[].value.matched] | add'
}
before=$(matched)
lab_in client python3 -c '
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    for n in range(100):
        out.sendto(bytes([0x80]) + bytes(171), (sys.argv[1], 5060))
' "$LAB_VIP"
hundred_not_sip() {
	[ "$(lab_ctl --json stats | jq '.services[0].not_sip')" -ge 100 ]
}
check "datagrams that are not SIP arrive" wait_for 5 hundred_not_sip
is "... and the program does not copy them" "$(matched)" "$before"

# --- sipxdp-ctl trace --hep, beside the capture

server trace "$SERVER"
lab_start trace balancer sipxdp-ctl trace --source "$LAB_CLIENT" --hep "udp:$SERVER:9060"
wait_for 10 grep -q TIME "$LAB_DIR/trace.log"
sip_client traced client "$LAB_CLIENT" call "$CALLS" 100
check "trace --hep: the calls succeed" lab_wait traced 60
wait_for 10 same_as_backends trace || true
lab_stop trace INT || true
is "... and the capture server receives each message" "$(at_server trace)" "$(at_backends)"
like "... trace prints their number" "$(cat "$LAB_DIR/trace.log")" "^sipxdp-ctl: $(at_backends | wc -l) messages sent by HEP, 0 not sent$"
server_end trace
like "an address without transport is refused" "$(lab_ctl trace --hep "$SERVER:9060" 2>&1 || true)" "must be udp:, an address and a port"

# --- an upgrade after which packets cannot be observed

warns_of_observer() {
	lab_ctl status | grep -q 'SIP messages are not captured: .*observer is not pinned'
}
lab_start watched balancer sipxdp-ctl trace
wait_for 10 grep -q TIME "$LAB_DIR/watched.log"
kill -STOP "${LAB_PROCESS[sipxdpd]}"
lab_in balancer sipxdp-loader upgrade > /dev/null
lab_in balancer rm /sys/fs/bpf/sipxdp/observer
kill -CONT "${LAB_PROCESS[sipxdpd]}"
check "without the program observer, status warns that nothing is captured" wait_for 10 warns_of_observer
status=0
lab_wait watched 10 || status=$?
is "... and a trace fails" "$status" 1
like "... and says why" "$(cat "$LAB_DIR/watched.log")" 'sipxdpd ended the trace: .*observer is not pinned'
check "the next upgrade loads it again" lab_in balancer sipxdp-loader upgrade
check "... and status does not warn any more" wait_for 10 eval '! warns_of_observer'

# --- no capture server

lab_stop px1 || true
lab_stop px2 || true
capture "$SERVER:9060" 2
before=$(count 'sent + .capture.ring_full + .capture.unsent')
PACKETS_A_SECOND=2000 through "without a capture server, packets are forwarded" sleep 2
stays
all_counted() {
	[ $(($(count 'sent + .capture.ring_full + .capture.unsent') - before)) -eq "$(result sent)" ]
}
check "... and each message is counted as sent or lost" wait_for 10 all_counted
check "... some of them as refused" test "$(count refused)" -gt 0
like "... and status warns" "$(lab_ctl status)" \
	"SIP messages are not captured: no program receives packets at udp:$SERVER:9060: is the capture server running"
capture 10.0.0.99:9060 1
PACKETS_A_SECOND=2000 through "with a capture server whose machine does not exist, packets are forwarded" sleep 2
LAB_SECTIONS=
write_config
PACKETS_A_SECOND=2000 through "without the key, packets are not observed any more" lab_ctl reload
disabled() {
	grep -q "capture: disabled by the configuration" "$LAB_DIR/sipxdpd.log"
}
check "... and nothing is captured" wait_for 5 disabled
unlike "... and status does not mention it" "$(lab_ctl status)" "^capture:"
unlike "no warning or error about a capture is logged for each packet" "$(grep -c capture: "$LAB_DIR/sipxdpd.log")" "^[0-9]{3}"
tap_end
