#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# 100,000 numbered packets arrive per second while the file changes 100 times and the daemon is killed 20 times: no packet
# is lost, and no call moves.
#
# Runs alone: it measures a packet rate and needs a high one.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

MUCH=150000 # packets a second; the test asks for 100,000

# set_weight N: sets the weight of px1 in the file.
set_weight() {
	lab_in balancer sed -i "s/\({name: px1, address: [0-9.]*\).*}/\1, weight: $1}/" "$LAB_CONFIG"
}

# 100 reloads, each with a change; the daemon is killed during every fifth.
reload_and_kill() {
	local i
	for ((i = 1; i <= 100; i++)); do
		set_weight $((i % 7 + 1))
		if ((i % 5)); then
			lab_ctl reload | grep "^backend proxies/px1: weight" > /dev/null || return 1
			continue
		fi
		kill -HUP "${LAB_PROCESS[sipxdpd]}"
		sleep "0.0$((i % 4))$((i % 9))"
		lab_stop sipxdpd KILL || true
		lab_daemon || return 1
	done
}

share_of_px1_is() {
	[ "$(lab_ctl --json backend list | jq '.[] | select(.name == "px1") | .share | round')" -eq "$1" ]
}

lab_open
lab_flat 3
LAB_POOL="record_time: 200ms" lab_config dsr
lab_balance
check "no slot is migrating" lab_ctl pool finish proxies
begin=$EPOCHREALTIME
PACKETS_A_SECOND=$MUCH through "100 reloads with changes, during which the daemon is killed 20 times" reload_and_kill
is "... no call moved" "$(result moved)" 0
rate=$(awk -v sent="$(result sent)" -v begin="$begin" -v end="$EPOCHREALTIME" 'BEGIN { print int(sent / (end - begin)) }')
if [ "$rate" -ge 100000 ]; then
	ok "... at $rate packets a second"
else
	skip "... at 100,000 packets a second" "a busy machine: there were $rate"
fi
check "... slots have moved" wait_for 5 share_of_px1_is 60
tap_end
