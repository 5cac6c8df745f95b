#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# max_rate: no server receives more new calls per second than its limit, with balance: hash and least-calls, also while the
# daemon is dead and after a reload, a restart and an upgrade; calls that no server accepts are refused.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CALLS=160
OFFERED=50 # per second

# configure POOL-LINES [LIMITS [BACKEND...]]
configure() {
	LAB_POOL=$'record_time: 1s\n'"$1" LAB_SECTIONS="limits: {counted_calls: ${2:-4096}}" lab_config dsr "${@:3}"
}

# field NAME FILTER: prints a field of a backend.
field() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

# received BACKEND: the number of calls whose INVITE the server has received.
received() {
	sip_seen "$1" | awk '$1 == "INVITE" { print $2 }' | sort -u | wc -l
}

# sent TIMES CALLS: have the servers received the INVITEs of so many calls at least so many times?
sent() {
	local backend
	[ "$(for backend in "${LAB_BACKENDS[@]}"; do sip_seen "$backend"; done |
		awk -v times="$1" '$1 == "INVITE" && ++seen[$2] == times { calls++ } END { print calls + 0 }')" -ge "$2" ]
}

# now: milliseconds of a clock that only advances.
now() {
	awk '{ print int($1 * 1000) }' /proc/uptime
}

# Notes how many calls each server has received. The next within() compares with this.
begin() {
	local backend
	began=$(now)
	for backend in "${LAB_BACKENDS[@]}"; do
		before[$backend]=$(received "$backend")
	done
}

# within BACKEND RATE: has the server received new calls since begin(), and not more than its limit permits? The burst is
# a quarter of a second.
within() {
	local calls=$(($(received "$1") - before[$1])) most=$(($2 * (ended - began) / 1000 + $2 / 4 + 2))
	diag "$1: $calls calls of at most $most"
	[ $calls -gt 0 ] && [ $calls -le $most ]
}

# send NAME PORT: sends calls that may be refused.
send() {
	sip_client "$1" client "$LAB_CLIENT" maybe-refused $CALLS $OFFERED -d 300 -p "$2"
}

declare -A before=()
lab_open
lab_flat 3
configure $'max_rate: 5\noverload: refuse'
lab_balance
for backend in "${LAB_BACKENDS[@]}"; do
	sip_answer "$backend" "$backend" "$LAB_VIP"
done

# --- balance: hash

begin
refused=$(lab_verdict refused)
send hash 5070
check "REASON shows the limit" wait_for 10 eval '[ "$(field px1 .reason)" = "full (max_rate 5)" ]'
check "calls succeed or are refused" lab_wait hash 60
ended=$(now)
for backend in "${LAB_BACKENDS[@]}"; do
	check "balance: hash: $backend has received calls up to its limit" within "$backend" 5
done
check "... further calls were refused" [ $(($(lab_verdict refused) - refused)) -gt 0 ]
like "... which status reports" "$(lab_ctl status)" 'pool proxies: .* new calls are refused with 503'
is "no call has moved" "$(sip_strays)" ""
check "... REASON becomes empty" wait_for 10 eval '[ -z "$(field px1 .reason)" ]'

# --- one slow server

configure 'balance: least-calls' 4096 "px1, max_rate: 4" px2 px3
check "a reload limits px1 only" lab_ctl reload
begin
refused=$(lab_verdict refused)
send least 5075
check "calls succeed" lab_wait least 60
ended=$(now)
check "balance: least-calls: px1 has received calls up to its limit" within px1 4
is "... no call was refused" "$(($(lab_verdict refused) - refused))" 0
is "no call has moved" "$(sip_strays)" ""

# --- without the daemon, and with new maps

check "px1 accepts calls again" wait_for 10 eval '[ -z "$(field px1 .reason)" ]'
begin
lab_stop sipxdpd KILL || true
send dead 5080
check "calls succeed without the daemon" lab_wait dead 60
ended=$(now)
check "... px1 has received calls up to its limit" within px1 4
lab_daemon
configure 'balance: least-calls' 8192 "px1, max_rate: 4" px2 px3
check "an upgrade makes new maps" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
begin
send upgraded 5085
check "calls succeed after the upgrade" lab_wait upgraded 60
ended=$(now)
check "... px1 has received calls up to its limit" within px1 4
is "no call has moved" "$(sip_strays)" ""

# --- no limit

configure 'min_alive: 10' 8192
check "a reload removes the limits" lab_ctl reload
begin
send unlimited 5090
check "calls succeed" lab_wait unlimited 60
is "... the servers have received all" "$(($(received px1) + $(received px2) + $(received px3) - before[px1] - before[px2] - before[px3]))" $CALLS

# --- a pool begins to place calls

for backend in "${LAB_BACKENDS[@]}"; do
	lab_stop "$backend" KILL || true
	sip_answer "$backend" "$backend" "$LAB_VIP" silent
done
sip_client silent client "$LAB_CLIENT" call 30 100 -p 5095
check "30 INVITEs arrive" wait_for 10 sent 1 30
configure 'balance: round-robin' 8192
check "a reload sets balance: round-robin" lab_ctl reload
check "the client repeats each INVITE" wait_for 20 sent 4 30
is "... each one reaches the same server" "$(sip_strays)" ""
lab_stop silent KILL || true

configure 'min_alive: 10' 8192
check "a reload goes back to balance: hash" lab_ctl reload
sip_client restart client "$LAB_CLIENT" call 30 100 -p 5097
check "30 INVITEs more arrive" wait_for 10 sent 1 60
lab_stop sipxdpd KILL || true
configure 'balance: round-robin' 8192
check "the daemon is killed, and starts with round-robin in its file" lab_daemon
check "the client repeats each INVITE" wait_for 20 sent 4 60
is "... each one reaches the same server" "$(sip_strays)" ""
lab_stop restart KILL || true
tap_end
