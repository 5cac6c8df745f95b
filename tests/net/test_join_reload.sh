#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Servers join one after another during continuous reloads. Every server whose start was accepted is in the
# pool afterwards.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9
COUNT=200

# missing: the servers whose start was accepted and that are not in the pool
missing() {
	comm -23 <(sort "$LAB_DIR/starts.log") <(lab_ctl --json backend list proxies | jq -r '.[].name' | sort) | xargs
}

lab_open
lab_flat 1
LAB_SECTIONS="join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, node_timeout: 10m}" lab_config dsr
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
is "all servers except the one whose address is in the file joined" "$(wc -l < "$LAB_DIR/starts.log")" $((COUNT - 1))
is "... no reload removed any of them" "$(missing)" ""
check "a further reload succeeds" lab_ctl reload
is "... all servers are still there" "$(missing)" ""
tap_end
