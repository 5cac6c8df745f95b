#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A short run of tests/soak: random operations while calls are up, and a model of what may
# happen to them. `make soak` runs it for longer.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh

STEPS=12 # of a round; each takes about half a second

# soak ARGUMENT...: prints what was found.
soak() {
	tests/soak/run --steps $STEPS "$@"
}

# finds REGEX ARGUMENT...: a run that fails, for that reason.
finds() {
	local output status=0
	output=$(soak "${@:2}" 2>&1) || status=$?
	grep -Eq -- "FAULT: $1" <<< "$output" && [ $status -eq 1 ] || {
		echo "$output"
		return 1
	}
}

random=$((RANDOM << 15 | RANDOM))
diag "the random seed is $random"
check "random operations: no call moves and no packet is lost without a reason" soak --seed 4 --seed 12 --seed $random
check "an operation that the model does not know of is found" \
	finds '.*(px1, and nothing|a/px1 is maint|the call is at px1)' --seed 1 --only change --betray
tap_end
