#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Calls through three balancers that decide together, while balancers, their programs and their networks fail and return in
# random order. The messages of each call arrive at different balancers; all of them must reach one server.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh
. tests/lib/group_calls.sh
. tests/lib/group_troubles.sh

TROUBLES=(daemon_killed daemon_stopped corosync_killed corosync_stopped group_cut group_deaf group_mute balancer_cut
	balancer_deaf balancer_mute balancer_rebooted vip_moved server_unseen)

calls_begin
for ((round = 0; round < ${CALLS_ROUNDS:-5}; round++)); do
	choose "${TROUBLES[@]}"
	name=$CHOSEN
	choose "${GROUP_NODES[@]}"
	trouble "$name" "$CHOSEN"
done
choose px1 px2 px3
SERVER=$CHOSEN
begin server_died lb1
check "the server is down for all" wait_for 20 calls_server_down
settled "server_died"
check "... its calls end" [ "$(calls_count orphaned)" -gt 0 ]
calls_results
tap_end
