#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Pins that a killed loader leaves: `health` and the status of the loader report them, and upgrade or detach removes them.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PINS=/sys/fs/bpf/sipxdp
KEPT=/sys/fs/bpf/kept

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

healthy() {
	[ "$(lab_ctl health)" = healthy ]
}

lab_open
lab_flat 2
lab_config dsr
lab_balance
check "the balancer is healthy" wait_for 10 healthy
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
