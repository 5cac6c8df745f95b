#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Pins that a killed loader leaves: `health` and the status of the loader report them, and upgrade or detach removes them.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PINS=/sys/fs/bpf/sipxdp
KEPT=/sys/fs/bpf/kept
PORT=9464

loader() {
	lab_in balancer sipxdp-loader "$@" 2>&1
}

# move_pins FROM TO: moves the pins of all maps and programs, but not those of links.
move_pins() {
	lab_in balancer sh -c "mkdir -p $2 && find $1 -maxdepth 1 -type f -exec mv -t $2 {} +"
}

eth0_has_no_program() {
	lab_in balancer ip -j link show eth0 | jq -e '.[0].xdp | not'
}

# invite CALL-ID...: sends INVITEs that no server answers.
invite() {
	local id
	for id; do
		printf '5060\tINVITE sip:b@example.net SIP/2.0\tVia: SIP/2.0/UDP 10.0.0.100;branch=z9hG4bK%s\tFrom: <sip:a@example.net>;tag=1\tTo: <sip:b@example.net>\tCall-ID: %s\tCSeq: 1 INVITE\tContent-Length: 0\n' "$id" "$id"
	done | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" > /dev/null
}

has_calls() {
	lab_ctl --json backend list | jq -e "[.[].calls] | add == $1"
}

# end_call: writes a call to the next maps that has ended there (tracked_call.ended), as packets do that use these maps.
end_call() {
	local call
	call=$(lab_in balancer bpftool -j map dump pinned $PINS/counted_calls | jq -c '.[0]')
	# shellcheck disable=SC2046 # words
	lab_in balancer bpftool map update pinned $PINS/next/counted_calls key $(jq -r '.key | join(" ")' <<< "$call") \
		value $(jq -r '.value | .[8:12] = .[4:8] | join(" ")' <<< "$call")
}

healthy() {
	[ "$(lab_ctl health)" = healthy ]
}

readyz_is() {
	[ "$(lab_in balancer curl -sS --max-time 20 -w '%{http_code}' "http://127.0.0.1:$PORT/readyz" | xargs -d '\n' echo)" = "$1" ]
}

next_is_filled() {
	[ "$(lab_in balancer bpftool -j map lookup pinned $PINS/next/contract key 0 0 0 0 | jq .formatted.value.filled)" = 1 ]
}

lab_open
lab_flat 2
LAB_POOL='balance: round-robin' LAB_SECTIONS="metrics: {listen: '127.0.0.1:$PORT'}" lab_config dsr
lab_balance
check "the balancer is healthy" wait_for 10 healthy

# `upgrade` was killed after it had removed the contract.
lab_in balancer sh -c "echo 'limits: {backends: 16}' >> $LAB_CONFIG"
kill -STOP "${LAB_PROCESS[sipxdpd]}"
lab_start upgrade balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
wait_for 10 lab_in balancer test -e $PINS/next/contract
lab_stop upgrade KILL || true
kill -CONT "${LAB_PROCESS[sipxdpd]}"
wait_for 10 next_is_filled
lab_in balancer rm $PINS/contract
reason="an upgrade was interrupted, and failures of backends are not detected: run 'sipxdp-loader upgrade -c FILE'"
check "an upgrade was killed: /readyz reports it" wait_for 10 readyz_is "$reason 503"
is "... and health" "$(lab_ctl health || echo "status $?")" "$reason
status 1"
invite call-{1..20}
end_call
check "... upgrade continues it" loader upgrade -c "$LAB_CONFIG"
check "... and copies the calls that have begun since, but not one that has ended there" wait_for 10 has_calls 19
check "... and the balancer is healthy" wait_for 10 healthy
check "... also for /readyz" wait_for 10 readyz_is "ready 200"
lab_stop sipxdpd TERM

# `attach` has replaced the maps, and was killed after it had attached the interface.
lab_in balancer rm $PINS/links/eth0
wait_for 10 eth0_has_no_program
move_pins $PINS $KEPT
loader attach -c "$LAB_CONFIG" > /dev/null
move_pins $PINS $PINS/next
move_pins $KEPT $PINS
is "an interface uses the next maps: the balancer is not healthy" "$(lab_ctl health)" "interface eth0: no balancer is attached"
like "... the status of the loader warns" "$(loader status)" 'warning: balancer: a loader was interrupted: .* not the pinned one'
like "... also of the next maps" "$(loader status)" "warning: balancer: $PINS/next contains new maps"
check "... upgrade uses the pinned maps again" loader upgrade
check "... and the balancer is healthy" healthy
check "... the next maps are removed" eval "! lab_in balancer test -e $PINS/next"
unlike "... the status of the loader has no such warning" "$(loader status)" 'warning: balancer'

# `attach` was killed before it had pinned all maps.
lab_in balancer rm $PINS/contract $PINS/links/eth0
wait_for 10 eth0_has_no_program
like "an incomplete set of maps: the status of the loader warns" "$(loader status)" 'warning: balancer: a loader was interrupted before it attached'
check "... detach removes the pins" loader detach
like "... status shows none" "$(loader status)" 'nothing is attached$'
tap_end
