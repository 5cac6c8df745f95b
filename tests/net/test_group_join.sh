#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Servers that join a group of balancers send each request to one of them. All members have the same servers, also when
# heartbeats stop, after a restart of a daemon, and when corosync delivers nothing for some seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

SECRET=4ff8d27cf1b5a0e9
# shellcheck disable=SC2034 # read by group_config
GROUP_KEYS="alone_after: 30s"
# shellcheck disable=SC2034 # read by group_config
GROUP_MORE="guard: {mode: enforce}
join: {listen: 'ADDRESS:7946', secret: $SECRET, node_timeout: 8s, guard: true}"

START='{"action": "start", "pool": "proxies", "name": "px4", "address": "10.0.0.14"}'
HEARTBEAT='{"action": "heartbeat", "pool": "proxies", "name": "px4"}'
STOP='{"action": "stop", "pool": "proxies", "name": "px4"}'
BLOCK='{"action": "block", "name": "px4", "prefix": "198.51.100.9", "for": "50m"}'

# says HOST BODY: the server sends a request to this balancer; prints the status.
says() {
	local time signature
	time=$(date +%s)
	signature=$(printf '%s\n%s' "$time" "$2" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
	lab_in px4 curl -s --max-time 5 -o "$LAB_DIR/said" -w '%{http_code}' -H "X-Sipxdp-Time: $time" \
		-H "X-Sipxdp-Signature: $signature" --data-raw "$2" "http://10.0.0.2${1#lb}:7946/"
}

# has HOST
has() {
	group_ctl "$1" --json backend list | jq -e 'any(.name == "px4")' > /dev/null
}

# blocks HOST PREFIX
blocks() {
	group_ctl "$1" --json guard list | jq -e 'any(.blocks[]; .prefix == "'"$2"'")' > /dev/null
}

has_not() {
	! has "$1"
}

lab_open
lab_flat 3
lab_peer px4 14
group_open 3
for node in "${GROUP_NODES[@]}"; do
	group_start $node
done
check "three members agree" wait_for 30 group_agrees
wait_for 20 group_all group_backend_is px3 up

# --- heartbeats stop. Of two within a quarter of node_timeout, the members share the first one only.

is "a server joins" "$(says lb1 "$START")" 200
check "at all" wait_for 10 group_all group_backend_is px4 up
sleep 2
is "its heartbeat" "$(says lb1 "$HEARTBEAT")" 200
sleep 1.5
is "a second one" "$(says lb1 "$HEARTBEAT ")" 200
check "it is silent for twice node_timeout: a member forgets it" wait_for 25 has_not lb2
says lb1 "$HEARTBEAT" > "$LAB_DIR/status"
check "the members that have heard it later forget it at the same time" wait_for 2 group_all has_not
is "its next heartbeat says so" "$(says lb1 "$HEARTBEAT ")" 404
check "a call has the same owner at all members" wait_for 15 group_same_owners

# --- a server stops while the daemon of a member does not run

is "the server joins again" "$(says lb2 "$START")" 200
check "at all" wait_for 10 group_all group_backend_is px4 up
lab_stop sipxdpd-lb1
is "it stops" "$(says lb2 "$STOP")" 200
check "at all others" wait_for 10 group_is lb2 '(.members | length) == 2'
check "and is removed there" wait_for 10 has_not lb3
group_start_daemon lb1
check "the daemon starts again" wait_for 30 group_agrees
# When a change is done, the daemon has adopted the state; all have what it has sent then when a second one is done.
check "it applies a change" group_ctl lb1 backend weight proxies px1 2
check "and a second one" group_ctl lb1 backend weight proxies px1 1
check "its maps do not bring the server back" group_all has_not

# --- corosync delivers nothing for some seconds, because that of a member has died

lab_stop corosync-lb3 KILL || true
GROUP_NODES=(lb1 lb2)
check "corosync delivers nothing" wait_for 20 group_is lb1 '.state == "waiting"'
is "a server joins meanwhile" "$(says lb1 "$START")" 200
is "and blocks a source" "$(says lb1 "$BLOCK")" 200
check "the request did not come too late" group_is lb1 '.state == "waiting"'
check "corosync delivers again" wait_for 30 group_all group_is '.state == "agreeing"'
check "the server has joined at all members" wait_for 10 group_all group_backend_is px4 up
check "all block the source" wait_for 10 group_all blocks 198.51.100.9
check "a call has the same owner at all members" wait_for 15 group_same_owners

# --- a member without corosync

is "a server blocks a source at a member without the group" "$(says lb3 "${BLOCK/51.100.9/51.100.8}")" 200
group_start_corosync lb3
GROUP_NODES=(lb1 lb2 lb3)
check "the member returns" wait_for 30 group_agrees
check "all members block the source" wait_for 10 group_all blocks 198.51.100.8
tap_end
