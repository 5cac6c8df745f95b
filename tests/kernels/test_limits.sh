#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Built by each installed compiler, the programs stay within the limits of limits.sh on the running kernel.
# test_kernels.sh tests the same on other kernels. Prints TAP.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/kernels/limits.sh

LIMITS_DIR=$(mktemp -d)
trap 'rm -rf "$LIMITS_DIR"' EXIT

for program in balancer observer explainer decap call_writer; do
	within_limits $program "$(clang --version | sed -n 's/.*version \([0-9]*\).*/clang \1/p')" build/bpf/$program.bpf.o
done
for version in 16 19; do
	if ! command -v clang-$version > /dev/null; then
		skip "the programs, built by clang $version" "clang-$version is not installed"
		continue
	fi
	check "clang $version builds the programs" build_by $version clang-$version
	for program in balancer observer explainer decap call_writer; do
		within_limits $program "clang $version" build/kernels/clang-$version/bpf/$program.bpf.o
	done
done
tap_end
