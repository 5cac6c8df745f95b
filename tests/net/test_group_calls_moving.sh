#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Calls through three balancers that decide together, while servers are drained, added, die and return, and balancers and their
# programs fail in the middle of these migrations, in random order. No established call may move.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh
. tests/lib/group_calls.sh
. tests/lib/group_troubles.sh

read -ra CHANGES <<< "${CALLS_CHANGES:-server_drained server_weighted server_died}"
read -ra TROUBLES <<< "${CALLS_TROUBLES:-nothing vip_moved server_unseen daemon_killed daemon_stopped}"
CALLS_WRONG=(misrouted)

calls_begin
for ((round = 0; round < ${CALLS_ROUNDS:-2}; round++)); do
	choose px1 px2 px3
	SERVER=$CHOSEN
	choose "${GROUP_NODES[@]}"
	host=$CHOSEN
	choose "${CHANGES[@]}"
	change=$CHOSEN
	begin "$change" "$host"
	pause 6
	choose "${TROUBLES[@]}"
	name=$CHOSEN
	choose "${GROUP_NODES[@]}"
	trouble "$name" "$CHOSEN"
	end "$change" "$host"
	pause 6
	settled "$change $host"
done
calls_results
tap_end
