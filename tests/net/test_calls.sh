#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The balancer counts the calls of a draining backend: real calls through proxies that name themselves (hints),
# beside continuing registrations and pings, and idle TCP connections. `drain --wait` returns when the calls have
# ended. An open connection outlives drain_timeout.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

CALLS=90
DOMAIN=sip.example.net
CALLEE=10.0.0.200

# write_config DRAIN_TIMEOUT: of the pool `lines`
write_config() {
	local backend
	{
		cat <<- YAML
			interfaces: [eth0]
			hash_key: 2b7e151628aed2a6abf7158809cf4f3c
			services:
			  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
			  - {name: lines, vip: $LAB_VIP, port: 5061, protocol: tcp, affinity: flow, pool: lines}
			pools:
			  - name: proxies
			    record_time: 3s
			    backends:
		YAML
		for backend in "${LAB_BACKENDS[@]}"; do
			echo "      - {name: $backend, address: 10.0.0.$((10 + ${backend#px})), hints: [$backend.$DOMAIN]}"
		done
		cat <<- YAML
			  - name: lines
			    record_time: 2s
			    drain_timeout: $1
			    backends:
		YAML
		for backend in "${LAB_BACKENDS[@]}"; do
			echo "      - {name: $backend, address: 10.0.0.$((10 + ${backend#px}))}"
		done
	} | lab_write balancer "$LAB_CONFIG"
}

# backend POOL NAME FILTER
backend() {
	lab_ctl --json backend list "$1" | jq -r ".[] | select(.name == \"$2\") | $3"
}

calls_are() {
	[ "$(backend proxies "$1" .calls)" -eq "$2" ]
}

connections_are() {
	[ "$(backend lines "$1" .connections)" -eq "$2" ]
}

# answered NAME: the number of successful calls of the client NAME.
answered() {
	sip_statistic "$1" 'SuccessfulCall(C)'
}

# calls_at BACKEND: the number of calls of talk.xml that its proxy has seen.
calls_at() {
	sip_seen "$1" | awk '$1 == "ACK" { print $2 }' | sort -u | wc -l
}

all_are_established() {
	local backend sum=0
	for backend in "${LAB_BACKENDS[@]}"; do
		sum=$((sum + $(calls_at "$backend")))
	done
	[ $sum -eq $CALLS ]
}

migrating() {
	[ "$(lab_ctl --json pool list | jq -r ".[] | select(.name == \"$1\") | .migrating")" = "$2" ]
}

# --- calls through proxies that name themselves

try_calls() {
	local expected
	sip_answer callee callee $CALLEE listen
	sip_client calls client "$LAB_CLIENT" talk $CALLS 90
	check "$CALLS calls are established" wait_for 20 all_are_established
	expected=$(calls_at px1)
	check "... many of them on px1" [ "$expected" -gt 10 ]

	# Phones that register repeatedly with the same Call-ID, and pings that name px1.
	lab_start phones client tests/net/registrars.py "$LAB_CLIENT" "$LAB_VIP" 40 "px1.$DOMAIN"
	lab_start wait balancer sipxdp-ctl backend drain proxies px1 --wait 90
	check "px1 drains: its calls are counted" wait_for 10 calls_are px1 "$expected"
	check "... backend calls lists each call once" [ "$(lab_ctl --json backend calls proxies px1 | jq length)" -eq "$expected" ]
	like "... with its Call-ID and age" "$(lab_ctl backend calls proxies px1 | sed -n 2p)" \
		"^call +[0-9]+s +[0-9]+s  $SIP_RUN"
	check "... and drain --wait waits for them" lab_running wait
	check "all calls succeed" lab_wait calls 60
	is "... all $CALLS of them" "$(answered calls)" $CALLS
	is "... each through one proxy" "$(sip_strays)" ""
	check "px1 has no calls any more" wait_for 5 calls_are px1 0
	check "... and drain --wait returns despite registrations and pings" lab_wait wait 50
	check "... registrations and pings continue" lab_running phones
	lab_stop phones || true
}

# --- idle connections

# open_connections COUNT: starts tests/net/idle.py, which sends when a line arrives on its standard input.
open_connections() {
	mkfifo "$LAB_DIR/idle.fifo"
	exec {IDLE}<> "$LAB_DIR/idle.fifo"
	_lab_exec client tests/net/idle.py "$LAB_VIP" 5061 "$1" < "$LAB_DIR/idle.fifo" > "$LAB_DIR/idle.log" 2>&1 &
	LAB_PROCESS[idle]=$!
}

rounds_are() {
	[ "$(grep -c '^round' "$LAB_DIR/idle.log")" -eq "$1" ]
}

# speak ROUND: sends a line on each connection; prints the backends that answer, in order.
speak() {
	echo speak >&$IDLE
	wait_for 10 rounds_are "$1"
	sed -n "${1}p" "$LAB_DIR/idle.log"
}

try_connections() {
	local before backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_start "echo-$backend" "$backend" tests/net/named_echo.py "$backend" 5061 "$LAB_VIP"
		wait_for 5 grep -q listening "$LAB_DIR/echo-$backend.log"
	done
	open_connections 40
	before=$(speak 1)
	check "40 connections are open, some of them to px1" grep -q px1 <<< "$before"
	lab_ctl backend drain lines px1 > /dev/null
	is "px1 drains: each connection stays with its backend" "$(speak 2 | cut -d' ' -f2-)" "$(cut -d' ' -f2- <<< "$before")"
	check "... its connections are counted" wait_for 5 connections_are px1 "$(grep -o px1 <<< "$before" | wc -l)"
	is "... and no calls" "$(backend lines px1 .calls)" 0
	check "... after record_time px1 owns no slot" wait_for 10 slots_are lines px1 0
	sleep 3
	write_config 2s
	check "a reload with a drain_timeout that has passed" lab_ctl reload
	check "... and the slots of its connections keep migrating" migrating lines true
	is "... each connection is still with its backend" "$(speak 3 | cut -d' ' -f2-)" "$(cut -d' ' -f2- <<< "$before")"
	echo close >&$IDLE
	check "when the connections are closed the migration ends" wait_for 30 migrating lines false
	exec {IDLE}>&-
}

slots_are() {
	[ "$(backend "$1" "$2" .slots)" -eq "$3" ]
}

lab_open
lab_flat 3
lab_peer callee "${CALLEE##*.}"
printf "$LAB_VIP %s.$DOMAIN\\n" "${LAB_BACKENDS[@]}" | lab_hosts "${LAB_BACKENDS[@]}"
for backend in "${LAB_BACKENDS[@]}"; do
	SIP_SELF=$backend.$DOMAIN kamailio_start "$backend" "$backend" STATEFUL "CALLEE=\"sip:$CALLEE:5060\""
done
write_config 1h
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
check "all backends serve in both pools" wait_for 10 lab_serving 6
try_calls
try_connections
tap_end
