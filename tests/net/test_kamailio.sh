#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Three Kamailio servers, registrars and stateful proxies, share their registrations and are not configured for the
# balancer. Phones register at the VIP and are called through it. The same server must receive all requests and
# responses of a Call-ID, or its transactions would not match.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PHONES=10

phones_are_called() {
	local i status=0
	for ((i = 0; i < PHONES; i++)); do
		sip_client "call$i" client "$LAB_CLIENT" call 30 10 -s "phone$i" -p $((5200 + i)) -d 500
	done
	for ((i = 0; i < PHONES; i++)); do
		lab_wait "call$i" 60 || { status=$? && tail -n 2 "$LAB_DIR/call$i.log"; }
	done
	return $status
}

retransmissions() {
	local i sum=0
	for ((i = 0; i < PHONES; i++)); do
		sum=$((sum + $(sip_statistic "call$i" 'Retransmissions(C)')))
	done
	echo $sum
}

options_are_answered() {
	sip_client options client "$LAB_CLIENT" options 60 30
	lab_wait options 20
}

# Checks that each server has received calls.
each_has_calls() {
	local backend status=0
	for backend in "${LAB_BACKENDS[@]}"; do
		echo "$backend: $(sip_seen "$backend" | awk '{ print $1 }' | sort | uniq -c | xargs)"
		[ "$(sip_seen "$backend" | grep -c ^INVITE)" -gt 20 ] || status=1
	done
	return $status
}

lab_open
lab_flat 3
lab_peer callee 200
sip_answer callee callee 10.0.0.200
for i in 1 2 3; do
	kamailio_start px$i px$i STATEFUL "DMQ_SELF=\"sip:10.0.0.1$i:5090\"" 'DMQ_PEER="sip:10.0.0.11:5090"'
done
lab_config dsr
lab_balance

for i in 2 3; do
	wait_for 30 kamailio_has_peer 10.0.0.1$i kamailio_rpc px1
	wait_for 30 kamailio_has_peer 10.0.0.11 kamailio_rpc px$i
	wait_for 30 kamailio_has_peer 10.0.0.1$((5 - i)) kamailio_rpc px$i
done
check "$PHONES phones register at the VIP" phones_register
for i in 1 2 3; do
	check "px$i has all registrations" wait_for 5 has_registrations px$i
done
check "OPTIONS with compact headers are answered from the VIP" options_are_answered
check "300 calls to registered phones succeed" phones_are_called
diag "$(retransmissions) retransmissions; more than 0 on a busy machine"
is "one Kamailio receives all requests and responses of a Call-ID" "$(sip_strays)" ""
check "each Kamailio receives calls" each_has_calls
tap_end
