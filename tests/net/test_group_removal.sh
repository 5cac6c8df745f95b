#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The end of `backend remove --drain` in a group: the members see the end of the calls at different times, and remove the backend
# together.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

GROUP_KEYS="alone_after: 3s"
GROUP_POOL="record_time: 2s, drain_timeout: 3s"

# backend_is HOST JQ-CONDITION: does px4 meet the condition there?
backend_is() {
	group_ctl "$1" --json backend list | jq -e '.[] | select(.name == "px4") | '"$2" > /dev/null
}

is_gone() {
	[ -z "$(group_backend "$1" px4)" ]
}

# removals HOST COUNT: has its log so many ends of a drain?
removals() {
	[ "$(grep -c 'backend proxies/px4 is removed: its drain has ended' "$LAB_DIR/sipxdpd-$1.log")" -eq "$2" ]
}

add() {
	group_ctl "$1" backend add proxies px4 10.0.0.14
}

# add_everywhere HOST: adds the backend again as soon as the group permits it. Succeeds if all members always gave the same answer.
add_everywhere() {
	local deadline=$((SECONDS + 60))
	until add "$1" > "$LAB_DIR/add" 2>&1; do
		! grep -q 'applied by' "$LAB_DIR/add" || return 1
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.1
	done
}

lab_open
lab_flat 3
lab_peer px4 14
group_open 3
for node in "${GROUP_NODES[@]}"; do
	group_start "$node"
done
check "three members agree" wait_for 30 group_agrees
GROUP_POOL="record_time: 2s, drain_timeout: 10s"
group_config lb2 | lab_write lb2 "$LAB_CONFIG"
check "one member lets calls stay for longer" group_ctl lb2 reload
check "a backend is added" add lb1
check "all members send calls to it" wait_for 30 group_all backend_is '.slots > 0 and .migrating == ""'

check "it is removed" group_ctl lb1 backend remove proxies px4 --drain
check "no member sends new calls to it" wait_for 30 group_all backend_is '.slots == 0'
check "it is added again: all members accept it at the same change" add_everywhere lb3
diag "$(cat "$LAB_DIR/add")"
check "all members had removed it" wait_for 5 group_all removals 1
check "all have it" wait_for 5 group_all backend_is '.admin == "ready"'
check "all have the same owners" wait_for 20 group_same_owners
check "all members send calls to it" wait_for 30 group_all backend_is '.slots > 0 and .migrating == ""'

check "it is removed" group_ctl lb2 backend remove proxies px4 --drain
check "no member sends new calls to it" wait_for 30 group_all backend_is '.slots == 0'
check "the removal is cancelled" group_ctl lb3 backend ready proxies px4
check "all members send calls to it" wait_for 40 group_all backend_is '.slots > 0 and .migrating == ""'
check "no member has removed it" group_all removals 1

check "it is removed" group_ctl lb2 backend remove proxies px4 --drain
check "no member sends new calls to it" wait_for 30 group_all backend_is '.slots == 0'
lab_stop sipxdpd-lb3 KILL || true
group_start_daemon lb3
check "a daemon that restarts does not prevent the removal" wait_for 60 group_all is_gone
check "it is added again" wait_for 10 add lb1
check "all members send calls to it" wait_for 30 group_all backend_is '.slots > 0 and .migrating == ""'

check "it is removed" group_ctl lb1 backend remove proxies px4 --drain
kill -STOP "${LAB_PROCESS[sipxdpd-lb2]}"
check "the others do not wait for a member whose daemon is stopped" wait_for 60 is_gone lb1
returned=$(group_log_time lb1 'new calls go to the new owners of migrating slots')
check "... but for drain_timeout after new calls may have reached the backend" \
	[ $(($(group_log_time lb1 'is removed: its drain has ended') - returned)) -ge 2900 ]
check "... and remove it together" wait_for 5 is_gone lb3
kill -CONT "${LAB_PROCESS[sipxdpd-lb2]}"
check "this member removes it when it continues" wait_for 15 is_gone lb2
check "all agree" wait_for 20 group_agrees
check "all have the same owners" wait_for 20 group_same_owners
tap_end
