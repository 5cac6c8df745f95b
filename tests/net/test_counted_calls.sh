#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The numbers of calls in `backend list`: the estimate from the sample against the true number, without the daemon,
# after a restart, after an upgrade to new maps, and when calls end.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/numbered.sh

STREAMS=50000 # the hash key and the Call-IDs never change, so every run has the same sample
CALLS=400

# field NAME FILTER: prints a field of a backend.
field() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

# numbers: prints the number of calls of each backend.
numbers() {
	lab_ctl --json backend list | jq -c '[.[].calls]'
}

numbers_are() {
	[ "$(numbers)" = "$1" ]
}

# covers BACKEND NUMBER: is the number within the error of the estimate?
covers() {
	field "$1" "(.calls - $2 | fabs) <= .calls_error" | grep -qx true
}

configure() {
	LAB_SECTIONS="limits: {counted_calls: $1}" lab_config dsr 'px1, weight: 3' px2
}

upgrade() {
	lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
}

lab_open
lab_flat 2
configure 4096
lab_balance
like "without calls the estimate is 0, and its error is not" "$(lab_ctl backend list | sed -n 2p)" ' ~0 ±245 '

# --- many calls that do not end

start_packets --calls --streams $STREAMS --rate 10000 --run 1 --seconds 10
check "$STREAMS calls begin" lab_wait numbered 60
diag "$(cat "$LAB_DIR/numbered.log")" "$(numbers)"
read -r px1 px2 < <(sed -n 's/.* streams //p' "$LAB_DIR/numbered.log")
is "... all of them" $((px1 + px2)) $STREAMS
check "px1: the estimate covers its $px1 calls" covers px1 "$px1"
check "px2: the estimate covers its $px2 calls" covers px2 "$px2"
check "... with an error below 10 %" [ "$(field px1 '.calls_error * 10 < .calls')" = true ]
before=$(numbers)

lab_stop sipxdpd KILL || true
is "without the daemon, the maps have the same numbers" "$(numbers)" "$before"
lab_daemon
check "a restarted daemon keeps them" wait_for 10 numbers_are "$before"
configure 8192
check "an upgrade makes new maps" upgrade
is "... which have the same numbers at once" "$(numbers)" "$before"
is "... and the new size" "$(lab_in balancer sipxdp-loader status --json | jq '.programs[0].contract.counted_calls')" 8192

# --- calls that end

for backend in px1 px2; do
	sip_answer $backend $backend "$LAB_VIP"
done
sip_client calls client "$LAB_CLIENT" call $CALLS 200 -d 3000
check "$CALLS calls begin and end" lab_wait calls 60
is "... all of them succeed" "$(sip_statistic calls 'SuccessfulCall(C)')" $CALLS
check "... the numbers are the same as before" wait_for 10 numbers_are "$before"
entries() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/counted_calls |
		jq '[.[].formatted.value | select(.ended != 0)] | length'
}
check "the daemon deletes the entries of calls that have ended" wait_for 45 eval '[ "$(entries)" -eq 0 ]'

# --- a backend that is removed

lab_ctl backend remove proxies px2 > /dev/null
LAB_SECTIONS="limits: {counted_calls: 8192}" lab_config dsr 'px1, weight: 3'
check "px2 is removed, also from the file" lab_ctl reload
lab_ctl backend add proxies px3 10.0.0.12 > /dev/null
check "a new backend has no calls of the one that had its id" wait_for 10 eval '[ "$(field px3 .calls)" = 0 ]'
is "... which has the same id in the map" "$(lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/backend_records |
	jq -c '[.[].formatted | select(.value.address.word[3] != 0) | .key]')" '[1,2]'
tap_end
