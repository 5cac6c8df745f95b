#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The times in which servers with `forward: nat` respond to INVITEs, of the sampled calls: a server that answers after 100 ms,
# and one that does not respond.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

CALLS=1000

write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0, eth1]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		metrics: {listen: "127.0.0.1:9464"}
		services:
		  - {name: slow, vip: $LAB_VIP, port: 5071, pool: slow}
		  - {name: silent, vip: $LAB_VIP, port: 5072, pool: silent}
		pools:
		  - name: slow
		    forward: nat
		    backends: [{name: px1, address: 10.0.1.11}]
		  - name: silent
		    forward: nat
		    backends: [{name: px2, address: 10.0.1.12}]
	YAML
}

# call PORT ANSWERS: the client sends INVITEs of different calls, and waits for so many responses 200.
call() {
	lab_in client timeout 60 python3 -c '
import socket, sys, time
vip, port, calls, answers = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
s.connect((vip, int(port)))
for i in range(int(calls)):
    s.send(f"INVITE sip:b@{vip} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.100;branch=z9hG4bK{i}\r\nFrom: <sip:a@example.net>;tag=1\r\n"
        f"To: <sip:b@example.net>\r\nCall-ID: {port}-{i}@example.net\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n".encode())
    time.sleep(0.001)
s.settimeout(20)
left = int(answers)
while left:
    left -= s.recv(4096).startswith(b"SIP/2.0 200 ")' "$LAB_VIP" "$1" "$CALLS" "$2"
}

# entries MAP
entries() {
	lab_in balancer bpftool -j map dump pinned "/sys/fs/bpf/sipxdp/$1" | jq length
}

# times EVENT FILTER: the times of px1
times() {
	lab_ctl --json stats | jq ".returned.backend_setup[] | select(.name == \"px1\" and .event == \"$1\") | $2"
}

unanswered() {
	lab_ctl --json stats | jq ".returned.backends[] | select(.name == \"$1\") | .unanswered_sampled"
}

has_unanswered() {
	[ "$(unanswered px2)" = "$1" ]
}

has_no_setups() {
	[ "$(entries setups)" = 0 ]
}

metric() {
	lab_in balancer curl -sf http://127.0.0.1:9464/metrics | grep -F "$1 " | cut -d ' ' -f 2
}

lab_open
lab_nat 2
write_config
lab_start px1 px1 python3 tests/net/answer.py udp 10.0.1.11 5071 trying
lab_start px2 px2 python3 tests/net/answer.py udp 10.0.1.12 5072 silent
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
wait_for 15 lab_serving 2

check "the silent server receives its calls" call 5072 0
silent=$(entries counted_calls) # the sampled calls: none of them ends
check "some of them are sampled" test "$silent" -gt 0
check "each call to the slow server is answered" call 5071 $CALLS
slow=$(($(entries counted_calls) - silent))
check "some of them are sampled" test "$slow" -gt 0
is "the first response of each sampled call is measured" "$(times response .sampled_calls)" "$slow"
is "... and the answer" "$(times answer .sampled_calls)" "$slow"
is "... which takes longer than 64 ms" "$(times answer '.buckets[:7] | add')" 0
is "... and the state of the call, without 100" "$(times status '.buckets[:7] | add')" 0
check "... and the mean is not below 100 ms" test "$(times answer .mean)" -ge 100000
is "the metrics have the same number" \
	"$(metric 'sipxdp_service_call_setup_seconds_count{service="slow",event="answer"}')" "$slow"
is "... and the bucket of 64 ms is empty" \
	"$(metric 'sipxdp_backend_call_setup_seconds_bucket{pool="slow",backend="px1",event="answer",le="0.064"}')" 0
like "stats prints the times" "$(lab_ctl stats)" "slow +px1 +answer +$slow "
check "after 32 s, the sampled calls of the silent server count as unanswered" wait_for 60 has_unanswered "$silent"
is "... and no call of the slow server" "$(unanswered px1)" 0
is "the metrics have the same number" \
	"$(metric 'sipxdp_backend_unanswered_sampled_calls_total{pool="silent",backend="px2"}')" "$silent"
check "the daemon deletes all measured calls" wait_for 60 has_no_setups
lab_stop sipxdpd || true
is "without the daemon, stats prints the same" "$(unanswered px2) $(times answer .sampled_calls)" "$silent $slow"
tap_end
