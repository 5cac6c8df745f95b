#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A short run of tests/soak: random operations with established calls, checked against a model of what may
# happen to them. The seeds are fixed, so that a run can be repeated; SOAK_RANDOM=1 adds a random one.
# `make soak` runs it for longer.
#
# Starts early: it takes nearly a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh

STEPS=12 # steps of a round; each takes about half a second

# soak ARGUMENT...: runs the soak test and prints its report.
soak() {
	tests/soak/run --steps $STEPS "$@"
}

# finds REGEX ARGUMENT...: a run that must fail with this fault.
finds() {
	local output status=0
	output=$(soak "${@:2}" 2>&1) || status=$?
	grep -Eq -- "FAULT: $1" <<< "$output" && [ $status -eq 1 ] || {
		echo "$output"
		echo "the run ended with status $status, and has not found: $1"
		return 1
	}
}

seeds=(--seed 4 --seed 12 --seed 5001)
if [ -n "${SOAK_RANDOM:-}" ]; then
	seeds+=(--seed $((RANDOM << 15 | RANDOM)))
	diag "the random seed is ${seeds[-1]}"
fi
check "random operations: no call moves and no packet is lost without a reason" soak "${seeds[@]}"
check "an operation that the model does not know about is detected" \
	finds '.*(px1, and nothing|a/px1 is maint|the call is at px1)' --seed 1 --only change --betray
tap_end
