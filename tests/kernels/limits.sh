# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What a program may take of the verifier's limits, which are 1,000,000 instructions and 512
# bytes of stack for a chain of calls. The rest is room to grow.
declare -A INSTRUCTIONS_LIMIT=([balancer]=120000 [decap]=15000)
STACK_LIMIT=384

# within_limits PROGRAM COMPILER OBJECT: loads it; its output and the verifier's log stay in
# $LIMITS_DIR.
within_limits() {
	local program=$1 compiler=$2 count stack
	check "$program, built by $compiler, loads" verified "$3"
	read -r _ count stack < "$LIMITS_DIR/verified" || true
	diag "measured: $program, $compiler: ${count:-no} verified instructions, ${stack:-no} bytes of stack"
	check "... with at most ${INSTRUCTIONS_LIMIT[$program]} verified instructions" \
		[ "${count:-1000000}" -le "${INSTRUCTIONS_LIMIT[$program]}" ]
	check "... and at most $STACK_LIMIT bytes of stack" [ "${stack:-1000}" -le $STACK_LIMIT ]
}

# verified OBJECT: of a verifier's log the end says why.
verified() {
	build/tests/kernels/verified "$1" > "$LIMITS_DIR/verified" 2> "$LIMITS_DIR/verifier" || {
		tail -n 40 "$LIMITS_DIR/verifier"
		return 1
	}
}
