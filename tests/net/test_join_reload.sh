#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Servers join one after the other while the file is read again and again: each that was told that it has
# joined is there afterwards.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9
COUNT=200

configure() {
	cat <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		pools:
		  - name: proxies
		    backends:
		      - {name: px1, address: 10.0.0.11}
		join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, node_timeout: 10m}
	YAML
}

# missing: those that have joined and are not there
missing() {
	comm -23 <(sort "$LAB_DIR/starts.log") <(lab_ctl --json backend list proxies | jq -r '.[].name' | sort) | xargs
}

lab_open
lab_flat 1
configure | lab_write balancer "$LAB_CONFIG"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
wait_for 10 lab_serving 1
lab_start starts px1 tests/net/starts.py "$LAB_BALANCER" $PORT $SECRET proxies 10.0.0 $COUNT 0.001
reloads=0
while lab_running starts; do
	lab_ctl reload > /dev/null
	reloads=$((reloads + 1))
done
diag "$reloads reloads"
is "all servers but those of the file's addresses have joined" "$(wc -l < "$LAB_DIR/starts.log")" $((COUNT - 1))
is "... and are there, whenever the file was read: none is missing" "$(missing)" ""
check "... after one more reload, too" lab_ctl reload
is "... none is missing" "$(missing)" ""
tap_end
