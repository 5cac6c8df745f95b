#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Passive health in a group: three balancers with `forward: nat` take a server that refuses calls out of service together, and use it
# again together. The messages of each call arrive through all three balancers.
#
# Starts early: it takes nearly two minutes.
# Has priority: the balancers must learn of a call before its next message, a second later.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/group.sh

SERVERS=(px1 px2 px3)
CLIENTS=(10.0.0.101 10.0.0.102 10.0.0.103) # INVITEs of 10.0.0.10N arrive through lbN

group_config() {
	cat <<- YAML
		interfaces: [eth0, eth1]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		group: {name: edge, node: $1, alone_after: 3s}
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		pools:
		  - name: proxies
		    forward: nat
		    record_time: 2s
		    drain_timeout: 20s
		    probe: {type: options, interval: 500ms, timeout: 400ms}
		    passive: {fall: 3, codes: [503], window: 10s}
		    backends:
		      - {name: px1, address: 10.0.1.11}
		      - {name: px2, address: 10.0.1.12}
		      - {name: px3, address: 10.0.1.13}
	YAML
}

passive_lab() {
	local i name
	_lab_host client
	lab_plug client eth0 br0
	for i in 1 2 3; do
		lab_address client eth0 "10.0.0.10$i/24"
		lab_in client ip rule add from "10.0.0.10$i" lookup "$i"
		lab_in client ip route add "$LAB_VIP/32" via "10.0.0.2$i" table "$i"
	done
	LAB_SUBNET=1
	for name in "${SERVERS[@]}"; do
		LAB_BARE=1 lab_backend "$name" "1${name#px}" br1
		: > "$LAB_DIR/$name.faults"
		for i in 1 2 3; do
			lab_in "$name" ip route add "10.0.0.10$i/32" via "10.0.1.2$i"
		done
		lab_start "$name" "$name" tests/net/passive_server.py "10.0.1.1${name#px}" "$LAB_DIR/$name.faults"
	done
	group_open 3
	for name in "${GROUP_NODES[@]}"; do
		lab_plug "$name" eth1 br1
		lab_address "$name" eth1 "10.0.1.2${name#lb}/24"
		lab_in "$name" sysctl -qw net.ipv4.ip_forward=1
		group_start "$name"
	done
}

# faults SERVER [CLIENT...]: the server refuses the INVITEs of these clients.
faults() {
	local name=$1
	shift
	echo "$*" > "$LAB_DIR/$name.new"
	mv "$LAB_DIR/$name.new" "$LAB_DIR/$name.faults"
}

calls_start() {
	mkfifo "$LAB_DIR/commands"
	_lab_exec client tests/net/passive_calls.py "$LAB_VIP" 90 "${CLIENTS[@]}" < "$LAB_DIR/commands" > "$LAB_DIR/calls.log" 2>&1 &
	LAB_PROCESS[calls]=$!
	exec {CALLS_COMMANDS}> "$LAB_DIR/commands"
}

_calls_reported() {
	[ "$(wc -l < "$LAB_DIR/calls.log")" -gt "$1" ]
}

# calls_count: prints the counters since the last call of this function.
calls_count() {
	local before
	before=$(wc -l < "$LAB_DIR/calls.log")
	echo >&"$CALLS_COMMANDS"
	wait_for 5 _calls_reported "$before"
	tail -n 1 "$LAB_DIR/calls.log"
}

# all_are SERVER STATE: at all members
all_are() {
	group_all group_backend_is "$@"
}

# owns_none HOST SERVER
owns_none() {
	group_ctl "$1" --json backend list | jq -e --arg name "$2" '.[] | select(.name == $name) | .slots == 0' > /dev/null
}

# at_rest HOST: no slot is recorded or moves. A few slots may keep a call whose end this balancer has not seen (docs/group.md).
at_rest() {
	group_ctl "$1" --json backend list | jq -e 'all(.migrating | test("^([1-9] releasing)?$"))' > /dev/null
}

# reason HOST SERVER
reason() {
	group_ctl "$1" --json backend list | jq -r --arg name "$2" '.[] | select(.name == $name) | .reason'
}

# votes_are HOST SERVER JSON
votes_are() {
	group_is "$1" "[.backends[] | select(.name == \"$2\") | .votes[]] == $3"
}

strays() {
	cat "$LAB_DIR"/px?.log | grep -c ^stray || true
}

# describe_strays: the first stray messages, and what the balancers did then
describe_strays() {
	grep -H ^stray "$LAB_DIR"/px?.log | head -n 5 | while IFS=: read -r file message; do
		echo "${file##*/}: $message; it began at $(date -d "@$(grep -o '[0-9]*[.][0-9]*' <<< "$message")" +%T.%3N)"
	done
	grep -E ' (new calls go|slots (will )?move|backend ready)' "$LAB_DIR"/sipxdpd-lb?.log | sed 's|.*/sipxdpd-||' | cut -c 1-150 | tail -n 40
}

lab_open
passive_lab
check "three members agree" wait_for 20 group_agrees
check "all servers are up" wait_for 20 all_are px1 up
calls_start
check "calls reach all servers" wait_for 10 group_is lb1 '.backends == []'

# --- one balancer sees failures

faults px1 10.0.0.101
check "a server fails at one member: its vote is known to all" wait_for 15 votes_are lb3 px1 '["lb1 fails", "lb2 works", "lb3 works"]'
like "... the log says why" "$(cat "$LAB_DIR/sipxdpd-lb1.log")" 'backend proxies/px1 fails at this balancer: .*responses to INVITE'
sleep 3
is "... it stays in service at all members" "$(for node in "${GROUP_NODES[@]}"; do group_backend "$node" px1; done | sort -u)" up
check "... with the same owners" group_same_owners

# --- two balancers see failures

faults px1 10.0.0.101 10.0.0.102
check "it fails at two of three members: it is down at all" wait_for 15 all_are px1 down
check "... and owns no slots" wait_for 5 group_all owns_none px1
check "... all have the same owners" group_same_owners
is "a member that has seen no failure says where it fails" "$(reason lb3 px1)" "fails at lb1, lb2"
like "... status, too" "$(group_ctl lb3 status)" 'backend proxies/px1 is down: fails at lb1, lb2'
like "... and the log" "$(cat "$LAB_DIR/sipxdpd-lb3.log")" 'backend proxies/px1 is down: fails at lb1, lb2'
like "the others say why" "$(reason lb1 px1)" 'responses to INVITE'
calls_count > "$LAB_DIR/count"
sleep 1
like "no call is refused any more" "$(calls_count)" '^calls [1-9][0-9]+ refused 0 stray 0$'

# --- the return

faults px1
check "it works again: all members use it" wait_for 40 all_are px1 up
check "... with the same owners, when its slots are back" wait_for 30 group_all at_rest
check "... at all members" group_same_owners
calls_count > "$LAB_DIR/count"
sleep 1
like "... and no call is refused" "$(calls_count)" '^calls [1-9][0-9]+ refused 0 stray 0$'

# --- a member that takes part late: calls that begin elsewhere must be found through it

faults px3 10.0.0.101
check "a third server fails at one member" wait_for 15 votes_are lb2 px3 '["lb1 fails", "lb2 works", "lb3 works"]'
kill -STOP "${LAB_PROCESS[sipxdpd-lb3]}"
faults px3 10.0.0.101 10.0.0.102
check "it is down at two members, while the third one is stopped" wait_for 15 group_backend_is lb1 px3 down
sleep 0.5
kill -CONT "${LAB_PROCESS[sipxdpd-lb3]}"
check "... and at the third one when it continues" wait_for 15 all_are px3 down
check "... it owns no slots" wait_for 5 group_all owns_none px3
faults px3
check "all members use it again" wait_for 40 all_are px3 up
check "... when its slots are back" wait_for 40 group_all at_rest

# --- an operator takes it back

faults px2 "${CLIENTS[@]}"
check "a different server fails at all members" wait_for 15 all_are px2 down
faults px2
check "an operator takes it back" group_ctl lb2 backend ready proxies px2
check "... at all members" wait_for 2 all_are px2 up

wrong=$(strays)
is "each message has reached the server of its call" "$wrong" 0
[ "$wrong" -eq 0 ] || diag "$(describe_strays)"

# --- a restart

faults px2 "${CLIENTS[@]}"
check "it fails again at all members" wait_for 15 all_are px2 down
lab_stop sipxdpd-lb3 KILL || true
group_start_daemon lb3
check "the server is down at a member that restarts" wait_for 5 group_backend_is lb3 px2 down
check "... and when it agrees again" wait_for 20 group_agrees
is "... as at the others" "$(group_backend lb3 px2)" "$(group_backend lb1 px2)"
is "no anomaly" "$(group_all group_ctl status | grep anomaly || true)" ""
tap_end
