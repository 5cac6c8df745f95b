#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Three balancers of a group apply the changes of operators together. A member that was away receives the state.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

GROUP_KEYS="alone_after: 3s"

# admin_is HOST BACKEND STATE
admin_is() {
	[ "$(group_ctl "$1" --json backend list | jq -r --arg name "$2" '.[] | select(.name == $name) | .admin')" = "$3" ]
}

# weight_is HOST BACKEND WEIGHT: "" if the backend is missing
weight_is() {
	[ "$(group_ctl "$1" --json backend list | jq -r --arg name "$2" '.[] | select(.name == $name) | .weight')" = "$3" ]
}

# is_up HOST BACKEND
is_up() {
	[ "$(group_backend "$1" "$2")" = up ]
}

# has_blocks HOST PREFIXES
has_blocks() {
	[ "$(group_ctl "$1" --json guard list | jq -rc '[.blocks[].prefix] | sort | join(" ")')" = "$2" ]
}

configs_are_the_same() {
	group_is lb1 '[.members[].config] | unique == ["same"]'
}

# refused HOST WORDS COMMAND...: the command fails, and its message contains the words.
refused() {
	local host=$1 words=$2
	shift 2
	! group_ctl "$host" "$@" > "$LAB_DIR/refused" 2>&1 && grep -q "$words" "$LAB_DIR/refused"
}

# healthy_with_drain HOST BACKEND: fails at once if the balancer is healthy without the drain
healthy_with_drain() {
	group_ctl "$1" health > /dev/null || return 1
	admin_is "$1" "$2" drain || touch "$LAB_DIR/healthy-too-early"
}

SECRET=4ff8d27cf1b5a0e9
# shellcheck disable=SC2034 # read by group_config
GROUP_MORE="guard: {mode: enforce, lists: [{name: carriers, action: trust, prefixes: [192.0.2.0/24]}]}
join: {listen: 'ADDRESS:7946', secret: $SECRET, node_timeout: 4s, guard: true}"

# server_says HOST BODY [TIME]: a server sends a request to this balancer.
server_says() {
	local time=${3:-$(date +%s)} signature
	signature=$(printf '%s\n%s' "$time" "$2" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
	lab_in px4 curl -sf --max-time 5 -o "$LAB_DIR/said" -H "X-Sipxdp-Time: $time" -H "X-Sipxdp-Signature: $signature" \
		--data-raw "$2" "http://10.0.0.2${1#lb}:7946/"
}

lab_open
lab_flat 3
lab_peer px4 14
lab_peer px6 16
group_open 3
for node in "${GROUP_NODES[@]}"; do
	group_start $node
done
check "three members agree" wait_for 30 group_agrees
wait_for 20 group_all group_backend_is px3 up

# --- changes

like "a drain at one member is applied by all" "$(group_ctl lb2 backend drain proxies px2)" 'applied by all 3 balancers of the group'
check "all members drain the backend" group_all admin_is px2 drain
check "all log the user and the member" group_all group_logged 'root at lb2 requested .backend drain proxies px2.: done'
check "a weight" group_ctl lb1 backend weight proxies px1 3
check "all have the weight" group_all weight_is px1 3
check "a new backend with options" group_ctl lb3 backend add proxies px9 10.0.0.99 --weight 2 --hints px9.example.net
check "all have it" group_all weight_is px9 2
check "the running configurations are the same" wait_for 10 configs_are_the_same
check "a removal" group_ctl lb1 backend remove proxies px9
check "no member has the backend" group_all weight_is px9 ""
check "a call has the same owner at all members" wait_for 15 group_same_owners
check "a mistake is refused as without a group" refused lb1 "^sipxdp-ctl: no backend 'px7' in pool 'proxies'" backend drain proxies px7
check "a blocked prefix" group_ctl lb1 guard block 203.0.113.0/24 --for 10m --reason test
check "a second one" group_ctl lb2 guard block 198.51.100.7
check "all have both" group_all has_blocks "198.51.100.7 203.0.113.0/24"
check "one is unblocked" group_ctl lb3 guard unblock 198.51.100.7
check "by all" group_all has_blocks "203.0.113.0/24"
check "a trusted prefix" group_ctl lb1 guard trust 198.51.100.0/24
check "a different member refuses to block a part of it" refused lb2 \
	"cannot block 198.51.100.7: 198.51.100.0/24 is trusted by operator root" guard block 198.51.100.7
check "no member blocks it" group_all has_blocks "198.51.100.0/24 203.0.113.0/24"
check "with --force" group_ctl lb2 guard block 198.51.100.7 --force
check "all members block it" group_all has_blocks "198.51.100.0/24 198.51.100.7 203.0.113.0/24"
check "it is unblocked" group_ctl lb3 guard unblock 198.51.100.7
check "the trusted prefix, too" group_ctl lb1 guard unblock 198.51.100.0/24

group_ctl lb1 backend maint proxies px3 > "$LAB_DIR/first" &
first=$!
group_ctl lb2 backend ready proxies px3 > "$LAB_DIR/second"
wait "$first"
state=$(group_ctl lb1 --json backend list | jq -r '.[] | select(.name == "px3") | .admin')
check "two operators at the same time lead to one state" group_all admin_is px3 "$state"
check "it is one of both" grep -qx "$state" <<< $'maint\nready'
group_ctl lb3 backend ready proxies px3 > "$LAB_DIR/ready"

# --- a server that sends its heartbeats to one member

lab_start server px4 python3 tests/net/heartbeats.py http 10.0.0.21 7946 "$SECRET" proxies px4 10.0.0.14 1
check "a server that joins at one member joins at all" wait_for 10 group_all weight_is px4 1
check "it is up at all" wait_for 15 group_all group_backend_is px4 up
check "a different member accepts its heartbeat" server_says lb2 '{"action": "heartbeat", "pool": "proxies", "name": "px4", "weight": 3}'
check "its new weight applies to all" wait_for 10 group_all weight_is px4 3
sleep 5 # longer than node_timeout
check "its heartbeats reach all members" group_all group_backend_is px4 up
check "it blocks a source at a third one" server_says lb3 '{"action": "block", "name": "px4", "prefix": "198.51.100.9", "for": "5m"}'
check "all members block it" wait_for 5 group_all has_blocks "198.51.100.9 203.0.113.0/24"
check "all log it" group_all group_logged "server px4 (.*) requested 'guard block 198.51.100.9': done"
unblock='{"action": "unblock", "name": "px4", "prefix": "198.51.100.9"}'
now=$(date +%s)
check "and unblocks it" server_says lb1 "$unblock" "$now"
check "all members unblock it" wait_for 5 group_all has_blocks "203.0.113.0/24"
check "it blocks the source again" server_says lb1 '{"action": "block", "name": "px4", "prefix": "198.51.100.9", "for": "6m"}'
check "all members block it" wait_for 5 group_all has_blocks "198.51.100.9 203.0.113.0/24"
check "the recorded request is replayed at a different member" server_says lb2 "$unblock" "$now"
is "the member knows it" "$(jq -r .result "$LAB_DIR/said")" "accepted by a different member of the group"
check "all members still block the source" group_all has_blocks "198.51.100.9 203.0.113.0/24"
check "a new request unblocks it" server_says lb2 "$unblock" $((now + 1))
check "all members unblock it" wait_for 5 group_all has_blocks "203.0.113.0/24"

# --- reload --all

# write_files WEIGHT: the files of all members, with a weight of px3
write_files() {
	local node
	for node in "${GROUP_NODES[@]}"; do
		group_config "$node" | sed "s/{name: px3, /&weight: $1, /" | lab_write "$node" "$LAB_CONFIG"
	done
}

write_files 2
like "all members reload their files" "$(group_ctl lb2 reload --all)" 'applied by all 3 balancers of the group'
check "all have the new weight" group_all weight_is px3 2
check "and the weight of px1 in the file" group_all weight_is px1 1
check "all log the user and the member" group_all group_logged 'root at lb2 requested .reload.: done'
write_files 3
group_config lb1 | sed 's/{name: px3, /&weight: 4, /' | lab_write lb1 "$LAB_CONFIG"
check "files that differ are refused" refused lb3 "no balancer of the group has reloaded: lb1: its file differs: 1 lines are only there, such as 'pools: proxies: backends: - {name: px3, address: 10.0.0.13, weight: 4}'" reload --all
echo "nonsense: 1" | lab_write lb1 "$LAB_CONFIG"
check "a file with a fault is refused" refused lb3 \
	"no balancer of the group has reloaded: lb1: its file has faults: $LAB_CONFIG:1:1: " reload --all
check "no member has reloaded" group_all weight_is px3 2
write_files 1
check "all have the first file again" group_ctl lb1 reload --all

# --- a member whose file differs, a stopped daemon, a client that leaves

group_config lb3 px5 | lab_write lb3 "$LAB_CONFIG"
group_ctl lb3 reload > "$LAB_DIR/reload"
group_ctl lb3 backend drain proxies px2 > "$LAB_DIR/drain"
group_ctl lb3 backend weight proxies px1 3 > "$LAB_DIR/weight"
check "members that cannot apply a change are named" refused lb3 \
	"applied by 1 of 3 balancers of the group: lb1: no backend 'px5' .*; lb2: no backend 'px5'" backend drain proxies px5
kill -STOP "${LAB_PROCESS[sipxdpd-lb2]}"
start=$SECONDS
check "a member that does not answer is named" refused lb1 \
	"applied by 2 of 3 balancers of the group: lb2: has " backend weight proxies px1 4
check "within 5 s" test $((SECONDS - start)) -le 6
kill -CONT "${LAB_PROCESS[sipxdpd-lb2]}"
check "it applies the change when it continues" wait_for 10 weight_is lb2 px1 4
check "all agree again" wait_for 15 group_agrees
lab_in lb1 python3 -c '
import socket
client = socket.socket(socket.AF_UNIX)
client.connect("/run/sipxdp/ctl.sock")
client.send(b"{\"command\": \"backend weight\", \"arguments\": {\"pool\": \"proxies\", \"backend\": \"px1\", \"weight\": 5}}\n")'
check "the change of a client that has left is applied" wait_for 10 group_all weight_is px1 5

# --- a reboot: empty maps

lab_stop sipxdpd-lb1
lab_in lb1 sipxdp-loader detach
lab_in lb1 sipxdp-loader attach -c "$LAB_CONFIG"
group_ctl lb2 backend weight proxies px1 6 > "$LAB_DIR/weight"
group_ctl lb2 backend add proxies px6 10.0.0.16 > "$LAB_DIR/add"
group_start_daemon lb1
check "a rebooted member becomes healthy" wait_for 30 healthy_with_drain lb1 px2
check "but not before it has the drain" test ! -e "$LAB_DIR/healthy-too-early"
check "it has the other changes, too" wait_for 5 group_all weight_is px1 6
check "and the server that has joined" weight_is lb1 px4 3
check "and the server that was added, which is up" wait_for 10 is_up lb1 px6
check "and the blocked prefix" has_blocks lb1 "203.0.113.0/24"
check "all agree" wait_for 20 group_agrees
check "all have the same owners" wait_for 15 group_same_owners

lab_stop server || true
check "the server leaves at a different member" server_says lb3 '{"action": "stop", "pool": "proxies", "name": "px4"}'
check "it is removed from all" wait_for 10 group_all weight_is px4 ""

# --- without the group

kill -STOP "${LAB_PROCESS[corosync-lb1]}"
check "without corosync a member does not agree" wait_for 20 group_is lb1 '.state != "agreeing"'
check "it refuses changes" refused lb1 'does not agree with its group now' backend drain proxies px3
check "with --force it changes itself" group_ctl lb1 backend drain proxies px3 --force
check "status says so" grep -q 'warning:.*an operator has changed only this balancer' <<< "$(group_ctl lb1 status)"
check "the others do not have this change" admin_is lb2 px3 ready
wait_for 20 group_is lb2 '(.members | length) == 2'
like "they apply changes without it" "$(group_ctl lb2 backend weight proxies px1 7)" 'applied by all 2 balancers of the group'
kill -CONT "${LAB_PROCESS[corosync-lb1]}"
check "it agrees again when corosync continues" wait_for 30 group_agrees
check "it has the changes of the others" wait_for 10 weight_is lb1 px1 7
check "and not its own" admin_is lb1 px3 ready
check "all have the same owners" wait_for 15 group_same_owners
lab_stop corosync-lb1 KILL || true
check "corosync killed: the member does not agree" wait_for 20 group_is lb1 '.state != "agreeing"'
group_start_corosync lb1
check "its health fails until it has the state of the group" wait_for 20 group_logged lb1 \
	'balancer: health checks fail: it waits for the state of its group'
check "all agree" wait_for 20 group_agrees
check "its health succeeds then" wait_for 5 group_ctl lb1 health
tap_end
