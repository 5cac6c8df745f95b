#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Calls that `balance:` places, through three balancers that decide together. The messages of each call arrive at different
# balancers; all of them must reach the server on which one balancer has placed the call. All balancers show the same numbers
# of calls.
#
# CALLS_MODES: the modes of the pool, in this order; the balancers start with the first one.
set -euo pipefail
cd "$(dirname "$0")/../.."
CALLS_RATE=${CALLS_RATE:-100}
# All calls depend on the messages between the balancers, at all times. On a busy machine, a daemon may be late for some of them.
CALLS_TOLERATED=${CALLS_TOLERATED-3}
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh
. tests/lib/group_calls.sh
. tests/lib/group_troubles.sh

CALLS_WRONG=(misrouted)
GROUP_KEYS="alone_after: 3s"
read -ra MODES <<< "${CALLS_MODES:-least-calls round-robin bounded max_calls}"
read -ra TROUBLES <<< "${CALLS_TROUBLES-daemon_killed balancer_rebooted corosync_stopped vip_moved}"
declare -A POOL=(
	[least-calls]="balance: least-calls"
	[round-robin]="balance: round-robin"
	[bounded]="balance: bounded, bound: 105, max_calls: 10000"
	[max_calls]=""
)
RECORD="record_time: 3s, drain_timeout: 8s"

# The jq conditions on the numbers of calls of the three servers
declare -A SHARES=(
	[least-calls]="max - min <= 15"
	[round-robin]="max - min <= 60"
	[bounded]="max <= 1.05 * add / 3 + 15"
	[max_calls]=".[0] <= 80"
)

# use MODE: the files of all balancers have this mode.
use() {
	local host limit=
	GROUP_POOL="$RECORD${POOL[$1]:+, ${POOL[$1]}}"
	[ "$1" != max_calls ] || limit=', max_calls: 60'
	for host in "${GROUP_NODES[@]}"; do
		group_config "$host" | sed "/name: px1/s/}/$limit}/" | lab_write "$host" "$LAB_CONFIG"
	done
}

# shares MODE: does each server have the calls that it should have?
shares() {
	numbers lb1 | jq -e "${SHARES[$1]}"
}

# numbers HOST: the number of calls of each server
numbers() {
	group_ctl "$1" --json backend list | jq -c '[.[].calls]'
}

# numbers_agree TOLERANCE: do all members show the same number of calls for each server?
numbers_agree() {
	local host
	for host in "${GROUP_NODES[@]}"; do
		numbers "$host"
	done | jq -se --argjson most "$1" 'transpose | all(max - min <= $most)'
}

# true_numbers: do all members show about the true number of live calls in all? Other calls begin and end meanwhile.
true_numbers() {
	local host live shown
	calls_do report
	live=$(($(calls_count calls) - $(calls_count completed)))
	for host in "${GROUP_NODES[@]}"; do
		shown=$(numbers "$host" | jq add)
		[ $((shown - live)) -ge -$((live / 10)) ] && [ $((shown - live)) -le $((live / 10)) ] || return 1
	done
}

# remain NUMBER: do all members show so many calls in all?
remain() {
	local host
	for host in "${GROUP_NODES[@]}"; do
		[ "$(numbers "$host" | jq add)" -eq "$1" ] || return 1
	done
}

GROUP_POOL="$RECORD, ${POOL[${MODES[0]}]}"
calls_begin
for mode in "${MODES[@]}"; do
	if [ "$mode" != "${MODES[0]}" ]; then
		use "$mode"
		check "$mode: all balancers reload" group_ctl lb1 reload --all
	fi
	sleep 12 # the calls are the test
	diag "$(numbers lb1)"
	check "$mode: the servers have their shares" wait_for 5 shares "$mode"
	calls_check "... all calls stay at their servers"
	check "... all balancers show the same numbers of calls" wait_for 5 numbers_agree 15
	check "... which are right" wait_for 5 true_numbers
done
for size in 70000 80000 90000; do
	lab_in lb3 sed -i "/^limits:/d; \$ a limits: {tracked_calls: $size}" "$LAB_CONFIG"
	check "lb3 gets new maps" lab_in lb3 sipxdp-loader upgrade -c "$LAB_CONFIG"
done
calls_check "... all calls stay at their servers"
is "... it has used all changes of calls, and sent all of its own" \
	"$(group_ctl lb3 --json group | jq -c '[.calls.unknown, .calls.lost]')" "[0,0]"
check "... all balancers show the same numbers of calls" wait_for 10 numbers_agree 15
for name in "${TROUBLES[@]}"; do
	choose "${GROUP_NODES[@]}"
	trouble "$name" "$CHOSEN"
done
calls_results
# Other calls never end.
[ "$(calls_count calls)" -ne "$(calls_count completed)" ] || check "all balancers show that no call remains" wait_for 10 remain 0
tap_end
