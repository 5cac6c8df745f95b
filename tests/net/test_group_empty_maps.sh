#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A balancer with empty maps is healthy only when it has the placed calls of the other one: after a start, and after `detach` and
# `attach` while its daemon runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

CALLS=200000 # the transfer takes longer than the steps of the test
GROUP_KEYS="alone_after: 3s"
GROUP_QUORUM="two_node: 1"
GROUP_POOL="record_time: 2s, balance: least-calls"
GROUP_MORE="limits: {counted_calls: 262144}"

calls() {
	group_ctl "$1" --json backend list | jq '[.[].calls] | add'
}

# is_healthy_with_calls WHEN
is_healthy_with_calls() {
	check "$1, it becomes healthy" wait_for 20 group_ctl lb2 health
	is "... with all calls" "$(calls lb2)" "$CALLS"
}

# agreed_recently HOST: has it begun to agree less than 5 s ago? It waits for calls that nobody has for 10 s.
agreed_recently() {
	[ $(($(date +%s%3N) - $(group_log_time "$1" 'agreeing: the group decides'))) -lt 5000 ]
}

lab_open
lab_flat 3
group_open 2
for node in "${GROUP_NODES[@]}"; do
	group_start $node
done
check "two members agree" wait_for 20 group_agrees
check "they become healthy, although none has calls" wait_for 20 group_all group_ctl health
check "... at once" group_all agreed_recently
check "all servers are up" wait_for 20 group_all group_backend_is px3 up
lab_stop sipxdpd-lb2
lab_in lb2 sipxdp-loader detach
is "the other member has many calls" "$(lab_in lb1 build/tests/tools/fill-calls /sys/fs/bpf/sipxdp "$CALLS" 3)" "$CALLS"
lab_in lb2 sipxdp-loader attach -c "$LAB_CONFIG"
group_start_daemon lb2
is_healthy_with_calls "when lb2 starts with empty maps"

sleep 11 # a daemon waits for the group for 10 s after its start
lab_in lb2 sipxdp-loader detach
lab_in lb2 sipxdp-loader attach -c "$LAB_CONFIG"
is_healthy_with_calls "after 'detach' and 'attach'"
check "both agree" group_agrees
tap_end
