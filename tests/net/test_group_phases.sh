#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Migrations of three balancers that decide together: a slot moves when all of them have recorded it, a balancer that starts
# with empty maps continues the migrations of the others, and a stopped or different balancer delays them for a bounded time.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

GROUP_KEYS="alone_after: 3s"
GROUP_POOL="record_time: 2s, drain_timeout: 2m"
RECORD_MSEC=2000

# places HOST: call, owner and previous owner of 300 calls
places() {
	seq -f 'phases-%g@example.net' 300 | group_ctl "$1" --json lookup sip - |
		jq -c '.[] | [.call_id, .backend, .previous_owner]'
}

# same_places: are they the same at all nodes, and is a slot migrating?
same_places() {
	local first node
	first=$(places lb1)
	grep -q '"px[1-4]","px[1-4]"' <<< "$first" || return 1
	for node in lb2 lb3; do
		[ "$(places $node)" = "$first" ] || return 1
	done
}

# slots HOST: the number of slots of px4
slots() {
	group_ctl "$1" --json backend list | jq '.[] | select(.name == "px4") | .slots'
}

# has_more HOST NUMBER: does px4 have more slots there?
has_more() {
	[ "$(slots "$1")" -gt "$2" ]
}

# is_released HOST NAME: has the backend no slot, and have slots moved away from it?
is_released() {
	group_ctl "$1" --json backend list |
		jq -e --arg name "$2" '.[] | select(.name == $name) | .slots == 0 and (.migrating | test("releasing"))' > /dev/null
}

is_at_rest() {
	group_ctl "$1" --json pool list | jq -e 'all(.[]; .migrating | not)' > /dev/null
}

is_healthy() {
	group_ctl "$1" health > "$LAB_DIR/health"
}

is_migrating() {
	! is_at_rest "$1"
}

# change WEIGHT HOST...: these balancers read a file in which px4 has this weight.
change() {
	local weight=$1 host
	shift
	for host; do
		group_config "$host" px4 | sed "s/10.0.0.14/&, weight: $weight/" | lab_write "$host" "$LAB_CONFIG"
		group_ctl "$host" reload >> "$LAB_DIR/reload"
	done
}

# waits HOST TEXT: do slots wait there, and does the reason contain this text?
waits() {
	group_is "$1" "[.waits[] | select(.slots > 0 and (.reason | test(\"$2\")))] | length == 1"
}

# warns HOST TEXT
warns() {
	group_ctl "$1" status > "$LAB_DIR/status"
	grep -q "$2" "$LAB_DIR/status"
}

# flaps: corosync of lb3 ends and returns. Does lb1 then warn that no migration ends?
flaps() {
	lab_stop corosync-lb3
	wait_for 20 group_is lb1 '.members | length == 2'
	group_start_corosync lb3
	wait_for 20 group_is lb1 '.members | length == 3'
	warns lb1 "slots of pool proxies wait for a time of 'alone_after' in which no member leaves"
}

lab_open
lab_flat 4
group_open 3
for node in "${GROUP_NODES[@]}"; do
	group_start $node
done
check "three members agree" wait_for 20 group_agrees
# Until then a member takes over the migrating slots of the others.
check "all have the state of the group" wait_for 20 group_all is_healthy
check "a call has the same owner at all of them" wait_for 10 group_same_owners

# --- a member that begins late

change 1 lb1 lb2
check "slots wait for a member that has not begun" wait_for 10 waits lb1 "member lb3, which has different owners"
is "none of them has moved" "$(slots lb1) $(slots lb2)" "0 0"
check "status names this member" wait_for 10 warns lb1 'warning:.* slots of pool proxies wait for member lb3'
like "group prints it" "$(group_ctl lb2 group)" '^proxies +[0-9]+ +[0-9]+ +member lb3, which has different owners'
change 1 lb3
check "slots move at all members when the last one has recorded them" wait_for 20 group_all has_more 0
began=$(group_log_time lb3 "will move")
for node in "${GROUP_NODES[@]}"; do
	check "$node has waited for the recording of the last one" \
		[ $(($(group_log_time $node "slots move (.*calls stay") - began)) -ge $RECORD_MSEC ]
done
check "owners and previous owners are the same at all members" wait_for 10 same_places
check "no slot waits" wait_for 10 group_all group_is '.waits == [] and .warnings == []'

# --- a member that starts with empty maps

group_ctl lb1 backend drain proxies px1 > "$LAB_DIR/drain"
check "a drained backend loses its slots at all members" wait_for 20 group_all is_released px1
before=$(places lb1)
lab_stop sipxdpd-lb2
lab_in lb2 sipxdp-loader detach
lab_in lb2 sipxdp-loader attach -c "$LAB_CONFIG"
group_start_daemon lb2
check "a member that starts with empty maps becomes healthy" wait_for 20 group_ctl lb2 health
is "it then has the owners and previous owners of the others" "$(places lb2)" "$before"
is "those of the others stay" "$(places lb1)" "$before"
like "a member says that it has sent them" "$(cat "$LAB_DIR"/sipxdpd-lb[13].log)" 'sent the migrating slots to node 2'
check "all agree again" wait_for 20 group_agrees

# --- a daemon that restarts

before=$(places lb1)
lab_stop sipxdpd-lb1 KILL || true
group_start_daemon lb1
check "a restarted daemon agrees" wait_for 20 group_agrees
is "it keeps owners and previous owners" "$(places lb1)" "$before"
is "so do the others" "$(places lb3)" "$before"

# --- all daemons restart at once: none must believe that the others have ended the migrations

for node in "${GROUP_NODES[@]}"; do
	lab_stop "sipxdpd-$node" KILL || true
done
for node in "${GROUP_NODES[@]}"; do
	group_start_daemon "$node"
done
check "all of them agree after they have restarted" wait_for 20 group_agrees
sleep 2
for node in "${GROUP_NODES[@]}"; do
	is "$node keeps owners and previous owners" "$(places "$node")" "$before"
done

# --- a stopped member

moved=$(slots lb1)
kill -STOP "${LAB_PROCESS[sipxdpd-lb3]}"
change 2 lb1 lb2
check "without a stopped member the others move slots" wait_for 20 has_more lb1 "$moved"
check "... both of them" wait_for 5 has_more lb2 "$moved"
kill -CONT "${LAB_PROCESS[sipxdpd-lb3]}"
change 2 lb3
check "it follows when it continues" wait_for 20 has_more lb3 "$moved"
check "owners and previous owners are the same again" wait_for 20 same_places
check "all agree again" wait_for 10 group_agrees

# --- the end of all migrations of a pool

group_ctl lb2 pool finish proxies > "$LAB_DIR/finish"
check "'pool finish' ends the migrations at all members" wait_for 10 group_all is_at_rest
check "a call has the same owner at all of them" wait_for 10 group_same_owners

# --- a member with a different file

moved=$(slots lb1)
change 3 lb1 lb2
check "slots wait for a member with a different file" wait_for 10 waits lb2 "member lb3, which has different owners"
check "... for a bounded time" wait_for 30 has_more lb1 "$moved"
check "... at both members" wait_for 10 has_more lb2 "$moved"
check "the log says so" wait_for 5 grep -q 'slots have moved without member lb3' "$LAB_DIR/sipxdpd-lb1.log"
change 3 lb3
check "all agree again" wait_for 10 group_agrees

# --- a member that leaves again and again

GROUP_KEYS="alone_after: 12s"
GROUP_POOL="record_time: 2s, drain_timeout: 2s"
change 1 lb1 lb2 lb3
check "status says that no migration ends while a member leaves again and again" wait_for 10 flaps
check "they end when it no longer leaves" wait_for 30 group_all is_at_rest
check "the warning ends" wait_for 10 group_all group_is '.waits == []'

# --- a member that removes a pool

GROUP_POOL="record_time: 60s, drain_timeout: 2s"
change 2 lb1 lb2 lb3
check "slots migrate at all members" wait_for 10 group_all is_migrating
group_config lb3 px4 | sed 's/proxies/others/' | lab_write lb3 "$LAB_CONFIG"
check "lb3 removes the pool" group_ctl lb3 reload --move-calls
GROUP_POOL="record_time: 1s, drain_timeout: 2s"
change 2 lb1 lb2
check "the migration ends at lb1" wait_for 30 is_at_rest lb1
check "... and at lb2" wait_for 30 is_at_rest lb2
tap_end
