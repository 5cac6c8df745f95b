#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Floods are reported: during a flood `status` contains a warning, and the log contains one line for this kind of flood.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. tests/lib/tap.sh
. tests/lib/lab.sh

# warns TEXT: does status have a warning with this text (a regular expression)?
warns() {
	lab_ctl --json status | jq -e --arg text "$1" 'any(.warnings[]; test($text))' > /dev/null
}
calm() { ! warns "$1"; }

# log_lines KIND: the number of warnings about this kind of flood.
log_lines() {
	grep "event=flood kind=$1" "$LAB_DIR/sipxdpd.log" | grep -vc 'end of the flood'
}

# has_learned: has the daemon learned the usual rates (USUAL_RATE_LEARNING in core/health/usual_rate.h)?
has_learned() {
	[ "$(lab_ctl --json status | jq .uptime)" -gt 12 ]
}

# remove_others: moves the flooded service and pool up in their lists. Their previous positions must not keep a
# warning.
remove_others() {
	lab_config dsr
	check "... a reload removes a different service and pool" lab_ctl reload
}

# flood KIND LOGGED TEXT
flood() {
	lab_start "flood-$1" client python3 tests/net/flood.py "$LAB_VIP" "$1"
	check "flood $1: status warns" wait_for 20 warns "$3"
	check "... and the log has a line with its kind" test "$(log_lines "$2")" -ge 1
	[ "$1" != one_call ] || remove_others
	lab_stop "flood-$1" > /dev/null
}

lab_open
lab_flat 2
lab_config dsr
# A service and a pool that a reload removes during a flood.
lab_in balancer sed -i "$LAB_CONFIG" \
	-e "s/^services:/&\n  - {name: other, vip: $LAB_VIP, port: 5070, protocol: udp, affinity: call-id, pool: others}/" \
	-e "s/^pools:/&\n  - {name: others, forward: dsr, backends: [{name: px1, address: 10.0.0.11}]}/"
lab_balance
check "the daemon has learned the usual rates" wait_for 30 has_learned
check "without a flood there is no warning" calm "per second"

flood many_calls messages "^[0-9]+ SIP messages and connections per second, usually at most"
name="... and a line for the initial requests of the service"
counted=$(lab_ctl --json stats | jq '[.requests[] | select(.dialog == "initial") | .messages] | add // 0')
if [ "$counted" -gt 0 ]; then
	check "$name" grep -Eq 'service sip: [0-9]+ initial requests per second, .* kind=initial service=sip$' \
		"$LAB_DIR/sipxdpd.log"
else
	skip "$name" "this build of the balancer does not count requests"
fi
unlike "... its calls are spread over the backends" "$(cat "$LAB_DIR/sipxdpd.log")" "kind=one_key"
flood one_call one_key "^pool proxies: backend px[12] receives [0-9]+ of [0-9]+ packets per second: many have the same Call-ID"
flood not_sip not_sip "^[0-9]+ packets that are not SIP per second, usually at most 1000$"
flood no_call_id no_key "^[0-9]+ SIP messages without a readable key per second, usually at most"
flood fragments fragments "^[0-9]+ fragments per second, usually at most"
check "... status says when it ended" wait_for 10 warns "^[0-9]+ fragments per second, usually at most [0-9]+ \(the flood ended [0-9]+ s ago\)"

check "after the floods the warnings end" wait_for 30 calm "per second"
for kind in not_sip no_key one_key fragments; do
	is "one line in the log for $kind" "$(log_lines $kind)" 1
done
is "every backend stays up" "$(lab_ctl --json backend list | jq -r '[.[].state] | join(" ")')" "up up"

tap_end
