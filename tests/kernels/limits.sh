# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The project's limits for each program, below those of the verifier: 1,000,000 instructions, and 512 bytes of
# stack for a chain of calls. The difference is the reserve for new features. The observer is the balancer and code
# that reads the message a second time; it runs only while an operator observes packets.
declare -A INSTRUCTIONS_LIMIT=([balancer]=120000 [observer]=250000 [explainer]=150000 [decap]=15000 [call_writer]=15000)
declare -A STACK_LIMIT=([balancer]=384 [observer]=512 [explainer]=512 [decap]=384 [call_writer]=384)

# build_by VERSION COMMAND: builds the programs by the rules of the Makefile, in build/kernels/clang-VERSION/. Two suites
# may do so at the same time.
build_by() {
	local directory=build/kernels/clang-$1
	mkdir -p "$directory"
	(
		flock 9
		make -s V=1 B="$directory" CLANG="$2" "$directory"/bpf/{balancer,observer,explainer,decap,call_writer}.bpf.o
	) 9> "$directory/lock"
}

# within_limits PROGRAM COMPILER OBJECT: loads the object. Leaves the output and the verifier's log in
# $LIMITS_DIR.
within_limits() {
	local program=$1 compiler=$2 count stack
	check "$program, built by $compiler, loads" verified "$3"
	read -r _ count stack < "$LIMITS_DIR/verified" || true
	diag "measured: $program, $compiler: ${count:-no} verified instructions, ${stack:-no} bytes of stack"
	check "... with at most ${INSTRUCTIONS_LIMIT[$program]} verified instructions" \
		[ "${count:-1000000}" -le "${INSTRUCTIONS_LIMIT[$program]}" ]
	check "... and at most ${STACK_LIMIT[$program]} bytes of stack" [ "${stack:-1000}" -le "${STACK_LIMIT[$program]}" ]
}

# verified OBJECT: loads it; prints the end of the verifier's log if that fails.
verified() {
	build/tests/kernels/verified "$1" > "$LIMITS_DIR/verified" 2> "$LIMITS_DIR/verifier" || {
		tail -n 40 "$LIMITS_DIR/verifier"
		return 1
	}
}
