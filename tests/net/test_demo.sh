#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The demo checks itself. It leaves nothing behind, neither at its end nor when it is interrupted.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

scratch=$(mktemp -d -t sipxdp-demo.XXXXXX)
mkdir "$scratch/tmp"
demo=
trap '[ -z "$demo" ] || kill "$demo" || true; wait; rm -rf "$scratch"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

start_demo() {
	: > "$scratch/out" # before the demo starts: has_said must not find the output of the previous demo
	# A process group of its own receives the SIGINT, as from a terminal. A background command of
	# bash would ignore the signal.
	TMPDIR=$scratch/tmp setsid env --default-signal=INT tests/demo < /dev/null > "$scratch/out" 2>&1 &
	demo=$!
}

ends() {
	local status=0
	wait "$demo" || status=$?
	demo=
	[ $status -eq "$1" ] || { tail -n 40 "$scratch/out" && echo "exit status $status" && return 1; }
}

# What remains of the demo with this process id: namespaces, processes, files.
remains() {
	ip netns list | grep "^sx$1-" || true
	pgrep -a -f "sx$1-|$scratch/tmp" || true
	ls "$scratch/tmp"
}

has_said() {
	grep -q "$1" "$scratch/out"
}

start_demo
pid=$demo
check "the demo succeeds, and its numbers are consistent" ends 0
is "... and leaves nothing behind" "$(remains "$pid")" ""
like "... 4,000 calls completed" "$(grep -c '^1000 calls made, 1000 completed' "$scratch/out")" '^4$'

for moment in '^balancer# sipxdp-loader' '^client# sipp'; do
	start_demo
	pid=$demo
	check "a demo prints ${moment#^}" wait_for 60 has_said "$moment"
	kill -INT -- "-$pid"
	check "interrupted after ${moment#^}, the demo ends" ends 130
	is "... and leaves nothing behind" "$(remains "$pid")" ""
done
tap_end
