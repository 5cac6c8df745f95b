#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# An upgrade to new maps while slots migrate and thousands of calls are tracked: no call moves, no packet is lost. Calls
# that do not fit into smaller maps are reported. A loader that is killed at any step leaves maps that work.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

CALLS=${CALLS:-40000}
KILLS=${KILLS:-3} # steps at which the loader is killed, chosen at random; "all": every step
RATE=20000
PINS=/sys/fs/bpf/sipxdp

# configure LIMITS
configure() {
	LAB_POOL="record_time: 1s" LAB_SECTIONS="limits: {slots: 65536, $1}" lab_config dsr 'px1, weight: 10' px2
}

upgrade() {
	lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
}

tracks() {
	lab_ctl --json backend list | jq -e "[.[].tracked_calls] | add >= $1"
}

# field NAME FILTER: prints a field of a backend.
field() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

releases() {
	[[ $(field px1 .migrating) =~ ^[0-9]+\ releasing$ ]]
}

nothing_is_left() {
	! lab_in balancer test -e $PINS/next && [ "$(lab_in balancer find $PINS -name '*_to_take*')" = "" ]
}

lab_open
lab_flat 2
configure 'tracked_calls: 131072'
lab_balance

# --- a migration with many calls: the first ones begin at px1, later ones at px2
start_packets --calls --streams "$CALLS" --rate $RATE
lab_ctl backend drain proxies px1 > /dev/null
check "the slots of px1 migrate" wait_for 15 releases
check "half of the calls are tracked" wait_for 30 tracks $((CALLS / 2))
configure 'tracked_calls: 262144'
check "an upgrade makes new maps" upgrade
check "... which track the calls" wait_for 10 tracks $((CALLS / 2))
sleep $((CALLS / RATE + 1)) # each call receives a packet
lab_stop numbered || true
diag "$(cat "$LAB_DIR/numbered.log")"
is "... no packet was lost" "$(result lost)" 0
stays
check "... both backends have calls" eval '[[ $(result by) -gt 0 && $(result sent) -gt $(result by) ]]'
configure 'tracked_calls: 1024'
like "an upgrade to maps that are too small says how many calls do not fit" "$(upgrade 2>&1)" \
	"warning: [0-9]{4,} of [0-9]{5} tracked calls do not fit into the new map and may move"

# --- a loader that is killed
# traced [STRACE-OPTION...]: an upgrade under strace, which writes the system calls that may change the kernel
traced() {
	lab_in balancer strace -f -qq -o "$LAB_DIR/calls" -e trace=bpf,rename,renameat,renameat2,unlink,unlinkat,rmdir "$@" \
		sipxdp-loader upgrade -c "$LAB_CONFIG" > /dev/null 2>&1
}

# steps: "CALL NUMBER" of each system call that changes links or pins, or loads a program; NUMBER counts its own kind
steps() {
	sed 's/^[0-9]* *//' "$LAB_DIR/calls" | awk -F'(' '
		{ number[$1]++ }
		$1 != "bpf" || /BPF_(OBJ_PIN|LINK_UPDATE|PROG_LOAD)/ { print $1, number[$1] }'
}

lab_ctl pool finish proxies > /dev/null
configure 'tracked_calls: 2048'
traced
start_packets --rate 5000 --seconds 600
size=2048
while read -r call number; do
	size=$((size ^ 6144)) # 2048 and 4096
	configure "tracked_calls: $size"
	status=0
	traced -e "inject=$call:signal=KILL:when=$number" || status=$?
	# The number of bpf() calls depends on how long the daemon needs: 0 if this upgrade had fewer.
	check "the loader is killed at $call $number" [ $status -eq 137 -o $status -eq 0 ]
	check "... the daemon answers" wait_for 10 lab_answers
	check "... the next upgrade completes" upgrade
	is "... the maps have the new size" "$(lab_in balancer sipxdp-loader status --json | jq '.programs[0].contract.tracked_calls')" $size
	check "... nothing remains" nothing_is_left
	check "... a command changes the maps" wait_for 10 lab_ctl backend weight proxies px2 $((number % 7 + 1))
done < <(steps | if [ "$KILLS" = all ]; then cat; else shuf -n "$KILLS"; fi)
lab_stop numbered || true
diag "$(cat "$LAB_DIR/numbered.log")"
is "no packet was lost meanwhile" "$(result lost)" 0
tap_end
