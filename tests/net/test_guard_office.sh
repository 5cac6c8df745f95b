#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The guard does no harm. The 500 phones of an office behind one address register again at once, with passwords: the
# default limits drop nothing. In mode observe every message arrives at the same server, byte for byte.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

OFFICE=$LAB_CLIENT
PHONES=500
RATE=50 # phones per second: all of them register within 10 s
COUNT=20
KINDS=$(tests/net/guard_messages.py kinds)

# guard LINE...: reloads the balancer with these lines in `guard:`.
guard() {
	LAB_SECTIONS=$(echo "guard:" && printf '  %s\n' "$@")
	lab_config dsr
	lab_ctl reload
}

# of_rules COUNTER [RULE]: a counter of one rule, or of all rules together.
of_rules() {
	lab_ctl --json guard stats | jq --arg rule "${2:-}" "[.rules[] | select(\$rule == \"\" or .rule == \$rule) | .$1] | add // 0"
}

registers_seen() {
	{ kamailio_seen px1 && kamailio_seen px2; } | grep -c ^REGISTER
}

# --- an office after a power failure
lab_open
lab_flat 2
for i in 1 2; do
	kamailio_start px$i px$i STATEFUL 'PASSWORD="lemon7"'
done
LAB_SECTIONS="guard: {mode: enforce, scanners: true, broken: drop}"
lab_config dsr
lab_balance
sip_client office client $OFFICE register-auth $PHONES $RATE -s phone -t un -au office -ap lemon7
check "$PHONES phones behind one address register with a password" lab_wait office 60
is "... all of them" "$(sip_statistic office 'SuccessfulCall(C)')" $PHONES
check "... with two requests each" test "$(registers_seen)" -ge $((2 * PHONES))
is "the guard drops none of them" "$(of_rules dropped) $(lab_verdict limited)" "0 0"
like "... but has checked them" "$(lab_ctl guard why $OFFICE)" '^register +enforce +drop +50 +1000 .* no$'
lab_close

# --- mode observe

# arrivals NAME: all messages of a run, with the server that received them.
arrivals() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sed "s/^/$backend /" "$LAB_DIR/$backend.$1"
	done | sort
}

all_arrived() {
	[ "$(arrivals "$1" | wc -l)" -eq $((COUNT * (KINDS + 2))) ]
}

# run NAME: sends the messages; each server records them.
run() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		: > "$LAB_DIR/$backend.$1"
		lab_start "$backend-$1" "$backend" tests/net/guard_messages.py receive "$LAB_VIP" "$LAB_DIR/$backend.$1"
		wait_for 10 sip_listens "$backend" "$LAB_VIP"
	done
	lab_in client tests/net/guard_messages.py send $OFFICE "$LAB_VIP" $COUNT
	wait_for 10 all_arrived "$1" || true
	is "$1: every message arrives" "$(arrivals "$1" | wc -l)" $((COUNT * (KINDS + 2)))
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_stop "$backend-$1" > /dev/null || true
	done
}

lab_open
lab_flat 2
LAB_SECTIONS=
lab_config dsr
lab_balance
run unguarded
check "a guard in mode observe, with limits for each class, scanners and broken messages" guard 'limits: tight' \
	'scanners: true' 'broken: drop' "limit_sets: [{name: tight, invite: {rate: 1, burst: 1}, register: {rate: 1, burst: 1},
    not_sip: {rate: 1, burst: 1}, dialog: {rate: 1, burst: 1}}]"
run observed
is "mode observe: the same servers receive the same bytes" "$(diff <(arrivals unguarded) <(arrivals observed))" ""
is "... the guard drops nothing" "$(of_rules dropped)" 0
check "... and counts the packets above each limit" test "$(of_rules observed invite)" -ge $((COUNT - 1)) \
	-a "$(of_rules observed register)" -ge $((COUNT / 2)) -a "$(of_rules observed dialog)" -ge $COUNT
check "... of scanners" test "$(of_rules observed scanner)" -ge 1
check "a list with the action deny, in mode observe" guard 'lists: [{name: bad, action: deny, prefixes: [10.0.0.0/24]}]'
before=$(of_rules observed denied)
run denied
is "mode observe: packets of the sources on a list are forwarded, too" "$(diff <(arrivals unguarded) <(arrivals denied))" ""
check "... and counted" test $(($(of_rules observed denied) - before)) -ge $((COUNT * (KINDS + 2)))
tap_end
