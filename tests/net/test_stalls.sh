#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What goes wrong in the balancer itself is no verdict on its servers: a daemon that is stopped for
# a while, that has no descriptors left, or cannot read a file that is named.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9

# config [LINE...]: px1 in the file, others may join; the lines go to the pool.
config() {
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, node_timeout: 2s}
			services:
			  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
			pools:
			  - name: proxies
			    record_time: 0s
			    drain_timeout: 1s
			    backends:
			      - {name: px1, address: 10.0.0.11}
		YAML
		[ $# -eq 0 ] || printf '    %s\n' "$@"
	} | lab_write balancer "$LAB_CONFIG"
}

log_has() {
	[ "$(grep -Ec "$1" "$LAB_DIR/sipxdpd.log")" -ge "${2:-1}" ]
}

# heard NAME COUNT: so many heartbeats of it were answered.
heard() {
	[ "$(grep -c '^ok' "$LAB_DIR/$1.log")" -ge "$2" ]
}

# goes_on: four more heartbeats of each were answered, which is as long as node_timeout.
goes_on() {
	local host
	for host in px2 px3; do
		wait_for 15 heard "$host" $(($(grep -c '^ok' "$LAB_DIR/$host.log") + 4)) || return 1
	done
}

# stopped_for SECONDS: the daemon is, and hears nothing.
stopped_for() {
	local stalls
	stalls=$(grep -c 'did not run for' "$LAB_DIR/sipxdpd.log" || true)
	kill -STOP "${LAB_PROCESS[sipxdpd]}"
	sleep "$1"
	kill -CONT "${LAB_PROCESS[sipxdpd]}"
	wait_for 10 log_has 'did not run for' $((stalls + 1))
}

lab_open
lab_flat 3
config
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
lab_start px2 px2 tests/net/heartbeats.py sip "$LAB_BALANCER" $PORT $SECRET proxies px2 10.0.0.12 0.5
lab_start px3 px3 tests/net/heartbeats.py http "$LAB_BALANCER" $PORT $SECRET proxies px3 10.0.0.13 0.5
check "two servers have joined" wait_for 10 lab_serving 3

# --- the daemon is stopped

check "the daemon is stopped for longer than node_timeout" stopped_for 3
check "... the heartbeats go on" goes_on
unlike "... no server was taken for dead" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
check "... for longer than twice that time" stopped_for 5
check "... the heartbeats go on" goes_on
unlike "... no server was taken for dead or forgotten" "$(cat "$LAB_DIR/sipxdpd.log")" "is down|is forgotten"
lab_stop px3 || true
check "one that dies is found out as ever" wait_for 15 log_has 'backend proxies/px3 is down: sends no heartbeats'
is "... and it alone" "$(grep -c 'is down' "$LAB_DIR/sipxdpd.log")" 1
tap_end
