#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# load_limit: a server that reports a high load, in heartbeats or in the response to a probe, receives no new calls until its
# load is lower. Its established calls stay.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9
PROBE_PORT=5099

# field NAME FILTER: prints a field of a backend.
field() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

# has NAME FILTER VALUE
has() {
	[ "$(field "$1" "$2")" = "$3" ]
}

# received BACKEND: the number of calls whose INVITE the server has received.
received() {
	sip_seen "$1" | awk '$1 == "INVITE" { print $2 }' | sort -u | wc -l
}

# new_calls NAME PORT BACKEND: sends calls; the backend receives `count` of them.
new_calls() {
	local before
	before=$(received "$3")
	sip_client "$1" client "$LAB_CLIENT" call 60 60 -d 200 -p "$2"
	lab_wait "$1" 60 || return 1
	count=$(($(received "$3") - before))
	diag "$3 has received $count of 60 calls"
}

# probed NAME LOAD: the server responds to probes, and reports this load.
probed() {
	lab_start "$1-probed" "$1" sipp -sf "$SIP_SCENARIOS/answer-load.xml" -i "$LAB_VIP" -p $PROBE_PORT -bind_local \
		-nostdin -skip_rlimit -key load "$2" "${SIP_PATIENCE[@]}"
}

# probed_config LOAD-LIMIT
probed_config() {
	LAB_POOL=$"record_time: 1s
load_limit: $1
probe: {type: options, port: $PROBE_PORT, interval: 300ms, timeout: 200ms, load_header: X-Load}" lab_config dsr
}

lab_open
lab_flat 3
LAB_SECTIONS="join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, node_timeout: 3s}" \
	LAB_POOL=$'record_time: 1s\nbalance: round-robin\nload_limit: 90' lab_config dsr px1
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
for backend in "${LAB_BACKENDS[@]}"; do
	sip_answer "$backend" "$backend" "$LAB_VIP"
	: > "$LAB_DIR/$backend.load"
done

# --- heartbeats

for number in 2 3; do
	way=http
	[ $number -eq 3 ] || way=sip
	lab_start heartbeats$number px$number tests/net/heartbeats.py $way "$LAB_BALANCER" $PORT $SECRET proxies px$number \
		10.0.0.1$number 0.5 "$LAB_DIR/px$number.load"
done
for backend in "${LAB_BACKENDS[@]}"; do
	check "$backend receives calls" wait_for 20 has "$backend" '.slots > 0' true
done
is "no server reports its load" "$(field px2 .load)" null
echo 80 > "$LAB_DIR/px2.load"
echo 20 > "$LAB_DIR/px3.load"
check "px2 reports its load by SIP" wait_for 10 has px2 .load 80
check "px3 reports its load by HTTP" wait_for 10 has px3 .load 20
check "calls below the limit succeed" new_calls below 5070 px2
check "... px2 receives some of them" [ $count -gt 0 ]

sip_hold long client "$LAB_CLIENT" 5075 call 12 30
check "long calls are established" wait_for 20 has px2 .calls 4
echo 95 > "$LAB_DIR/px2.load"
check "REASON shows the load" wait_for 10 has px2 .reason "full (load 95, load_limit 90)"
check "calls above the limit succeed" new_calls above 5080 px2
is "... px2 receives none of them" "$count" 0
is "... px2 keeps its calls" "$(field px2 .calls)" 4
echo 89 > "$LAB_DIR/px2.load"
check "just below the limit" wait_for 10 has px2 .load 89
is "... px2 is still full" "$(field px2 .reason)" "full (load 89, load_limit 90)"
echo 88 > "$LAB_DIR/px2.load"
check "2 % below the limit, px2 is not full" wait_for 10 has px2 .reason ""
check "calls succeed" new_calls lower 5085 px2
check "... px2 receives some of them" [ $count -gt 0 ]
sip_release long
check "the long calls succeed" lab_wait long 60
is "no call has moved" "$(sip_strays)" ""
echo 95 > "$LAB_DIR/px2.load"
check "px2 is full again" wait_for 10 has px2 .reason "full (load 95, load_limit 90)"
: > "$LAB_DIR/px2.load"
check "without reports, px2 is not full" wait_for 10 has px2 .reason ""

# --- responses to probes, with balance: hash

for number in 2 3; do
	lab_stop heartbeats$number || true
done
probed_config 90
for backend in "${LAB_BACKENDS[@]}"; do
	probed "$backend" 95
done
check "a reload uses the header of the responses" lab_ctl reload
check "px1 reports its load" wait_for 20 has px1 .load 95
check "... and is full" wait_for 10 has px1 .reason "full (load 95, load_limit 90)"
check "all servers are full" wait_for 10 has px3 .reason "full (load 95, load_limit 90)"
check "calls succeed" new_calls full 5090 px1
check "... by the hash" [ $count -gt 0 ]
like "... which status reports" "$(lab_ctl status)" 'pool proxies: all backends are full: new calls are distributed by the hash'
for backend in px2 px3; do
	lab_stop "$backend-probed" KILL || true
	probed "$backend" 10
	check "$backend reports a lower load" wait_for 20 has "$backend" .reason ""
done
check "calls succeed" new_calls one 5095 px1
is "... px1 receives none of them" "$count" 0
is "no call has moved" "$(sip_strays)" ""
probed_config 99
check "a reload raises load_limit, while no load changes" lab_ctl reload
check "... px1 is no longer full" wait_for 10 has px1 .reason ""
tap_end
