#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Numbered packets arrive while observers of packets begin and end, die, and the program is upgraded: no packet is
# lost, and afterwards each interface has the program that it must have.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

RATE=5000 # packets a second

# program: the name of the program behind the link of eth0.
program() {
	lab_in balancer sipxdp-loader status --json | jq -r '.programs[0].interfaces[0].program.name'
}

program_is() {
	[ "$(program)" = "$1" ]
}

program_id() {
	lab_in balancer sipxdp-loader status --json | jq -r '.programs[0].interfaces[0].program.id'
}

# observe NAME [ARGUMENTS]: starts a client that reads records of packets. ARGUMENTS: a JSON object.
observe() {
	lab_start "$1" balancer python3 tests/net/trace_client.py "${2:-"{}"}"
}

switch_often() {
	local i
	for ((i = 0; i < 10; i++)); do
		observe client
		wait_for 5 program_is observer || return 1
		lab_stop client KILL || true
		wait_for 5 program_is balancer || return 1
	done
}

records() {
	grep -c '"verdict"' "$LAB_DIR/client.log"
}

records_arrive() {
	local before
	before=$(records)
	[ "$(records)" -gt "$before" ] || wait_for 5 eval '[ "$(records)" -gt "'"$before"'" ]'
}

upgrade_while_observed() {
	local i before
	for ((i = 0; i < 3; i++)); do
		before=$(program_id)
		lab_in balancer sipxdp-loader upgrade || return 1
		wait_for 5 program_is observer || return 1
		[ "$(program_id)" -ne "$before" ] || return 1
	done
}

new_maps_while_observed() {
	lab_in balancer sed -i '/^limits:/d' "$LAB_CONFIG"
	lab_in balancer sh -c "echo 'limits: {backends: $1}' >> $LAB_CONFIG"
	lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
	wait_for 5 program_is observer
}

kill_daemon() {
	lab_stop sipxdpd KILL || true
	wait_for 5 program_is balancer
}

watchdog() {
	pgrep -x -P "${LAB_PROCESS[sipxdpd]}" sipxdpd-watch
}

# Without its watchdog, the next daemon puts the plain program back.
kill_daemon_and_watchdog() {
	local watchdog
	watchdog=$(watchdog)
	kill -STOP "${LAB_PROCESS[sipxdpd]}"
	kill -KILL "$watchdog"
	lab_stop sipxdpd KILL || true
	program_is observer || return 1
	lab_daemon
	program_is balancer
}

lab_open
lab_flat 2
lab_config dsr
lab_balance

is "the plain program is attached" "$(program)" balancer
check "... and the observer is pinned beside it" lab_in balancer test -e /sys/fs/bpf/sipxdp/observer

like "status says that an interface is not observed" "$(lab_in balancer sipxdp-loader status)" '^eth0 .* balancer '
observe client
wait_for 5 program_is observer
like "... status says that packets are observed" "$(lab_in balancer sipxdp-loader status)" "^eth0: the program 'observer' runs while packets are observed"
is "... also as JSON" "$(lab_in balancer sipxdp-loader status --json | jq '.programs[0].interfaces[0].observed, (.warnings | length)' | xargs)" "true 0"
lab_stop client KILL || true
wait_for 5 program_is balancer

through "10 observers begin and are killed" switch_often
stays

: > "$LAB_DIR/client.log"
observe client '{"source": ["10.0.0.100"]}'
wait_for 5 program_is observer
start_packets --rate 500
check "an observer receives records" wait_for 5 records_arrive
lab_stop numbered || true
wait_for 5 eval '[ "$(records)" -eq "$(result sent)" ]' || true
is "... of each packet" "$(records)" "$(result sent)"
like "... with message, verdict and backend" "$(tail -n 1 "$LAB_DIR/client.log")" \
	'"message":"OPTIONS".*"verdict":"call_id","reason":"slot".*"backend":"px[12]"'

through "upgrades while packets are observed" upgrade_while_observed
stays
through "an upgrade to new maps while packets are observed" new_maps_while_observed 100
stays
: > "$LAB_DIR/client.log"
start_packets --rate 500
check "... and the records come from the new maps" wait_for 5 records_arrive
lab_stop numbered || true

check "a watchdog runs while packets are observed" watchdog
killed=$(watchdog)
kill -KILL "$killed"
check "... a new watchdog replaces a killed watchdog" wait_for 5 eval '[ -n "$(watchdog)" ] && [ "$(watchdog)" != "$killed" ]'
through "the daemon is killed while packets are observed: its watchdog puts the plain program back" kill_daemon
lab_stop client || true
lab_daemon
observe client
wait_for 5 program_is observer
through "daemon and watchdog are killed: the next daemon puts the plain program back" kill_daemon_and_watchdog
lab_stop client || true

observe client
wait_for 5 program_is observer
check "the daemon ends while packets are observed" lab_stop sipxdpd TERM
is "... and leaves the plain program" "$(program)" balancer
tap_end
