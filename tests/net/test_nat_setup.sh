#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The times in which servers with `forward: nat` respond to INVITEs, of the sampled calls: a server that answers after 100 ms,
# and one that does not respond. Passive health: a server that responds to some of its INVITEs.
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
		  - {name: mixed, vip: $LAB_VIP, port: 5073, pool: mixed}
		pools:
		  - name: slow
		    forward: nat
		    backends: [{name: px1, address: 10.0.1.11}]
		  - name: silent
		    forward: nat
		    backends: [{name: px2, address: 10.0.1.12}]
		  - name: mixed
		    forward: nat
		    passive: {window: 30s}
		    backends: [{name: good, address: 10.0.1.11}, {name: seldom, address: 10.0.1.12}]
	YAML
}

# call PORT ANSWERS: the client sends INVITEs of different calls, and waits for so many responses 200.
call() {
	lab_in client timeout 150 tests/net/invites.py "$LAB_VIP" "$1" $CALLS 1 "$2"
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

# Are the calls of the pools `slow` and `silent` deleted? Their backends have the ids 1 and 2.
has_no_setups() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/setups |
		jq -e 'all(.[].formatted.value.backend; . > 2)' > /dev/null
}

# seldom FILTER: a value of the server that responds to one of eight INVITEs
seldom() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"seldom\") | $1"
}

is_seldom_down() {
	[ "$(seldom .state)" = down ]
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
lab_start good px1 tests/net/answer.py udp 10.0.1.11 5073 "200 OK"
lab_start seldom px2 tests/net/answer.py udp 10.0.1.12 5073 seldom
wait_for 15 lab_serving 4

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
lab_in balancer curl -sf http://127.0.0.1:9464/metrics > "$LAB_DIR/metrics"
check "promtool finds no fault in the histograms" promtool check metrics < "$LAB_DIR/metrics"
like "stats prints the times" "$(lab_ctl stats)" "slow +px1 +answer +$slow "
is "stats --rate shows no times while no calls arrive" "$(lab_ctl --json stats --rate |
	jq -c '.returned.backend_setup[] | select(.name == "px1" and .event == "answer") | [.sampled_calls, .mean, .p95]')" \
	"[0,null,null]"
is "the calls are still measured" "$(has_no_setups && echo deleted || true)" ""
check "the third service receives calls" lab_in client timeout 150 tests/net/invites.py "$LAB_VIP" 5073 3000 1 1
# Few calls, so that the servers respond to some while the balancer judges them.
lab_start trickle client tests/net/invites.py "$LAB_VIP" 5073 100000 50 1
check "after 32 s, a server that responds to one of eight INVITEs is down" wait_for 60 is_seldom_down
lab_stop trickle || true
is "... because of the share of failures" "$(seldom .passive.cause)" share
like "backend list shows the reason" "$(seldom .reason)" \
	'at least [0-9]+ of [0-9]+ INVITE requests failed or had no response within 30 s'
check "... and all new calls go to the other server" lab_in client timeout 150 tests/net/invites.py "$LAB_VIP" 5073 200 1 200
check "after 32 s, the sampled calls of the silent server count as unanswered" wait_for 60 has_unanswered "$silent"
is "... and no call of the slow server" "$(unanswered px1)" 0
is "the metrics have the same number" \
	"$(metric 'sipxdp_backend_unanswered_sampled_calls_total{pool="silent",backend="px2"}')" "$silent"
check "the daemon deletes their measured calls" wait_for 60 has_no_setups
lab_stop sipxdpd || true
is "without the daemon, stats prints the same" "$(unanswered px2) $(times answer .sampled_calls)" "$silent $slow"
tap_end
