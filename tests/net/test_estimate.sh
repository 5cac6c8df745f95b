#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# CALLS against the number of calls that the servers see, with 100, 1,000 and 10,000 calls: the true number is within the
# error. The hash key and the Call-IDs never change, so every run has the same sample.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/balance.sh

SIP_RUN=estimate

# covers BACKEND: prints the number that the server sees if the estimate covers it; otherwise both.
covers() {
	local true_number
	true_number=$(up "$1")
	field "$1" "if (.calls - $true_number | fabs) <= .calls_error then \"\" else \"\(.calls) +- \(.calls_error), not $true_number\" end"
}

lab_open
lab_flat 2
configure 'min_alive: 10' 4096 'px1, weight: 3' px2
lab_balance
serve answer

calls=0
for more in 100 900 9000; do
	calls=$((calls + more))
	sip_client "calls$calls" client "$LAB_CLIENT" call $more 500 -d 100000 -p $((5070 + ${#calls}))
	check "$calls calls are up" wait_for 40 are_up $calls
	diag "$(all_up); $(lab_ctl --json backend list | jq -r '[.[] | "\(.name) \(.calls) +- \(.calls_error)"] | join(" ")')"
	for backend in px1 px2; do
		is "... the estimate covers the number of $backend" "$(covers $backend)" ""
	done
done
for calls in 100 1000 10000; do
	lab_stop "calls$calls" KILL || true
done
tap_end
