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

for program in balancer observer explainer decap; do
	within_limits $program "$(clang --version | sed -n 's/.*version \([0-9]*\).*/clang \1/p')" build/bpf/$program.bpf.o
	for version in 16 19; do
		if ! command -v clang-$version > /dev/null; then
			skip "$program, built by clang $version" "clang-$version is not installed"
			continue
		fi
		make -s V=1 B="$LIMITS_DIR/$version" CLANG=clang-$version "$LIMITS_DIR/$version/bpf/$program.bpf.o"
		within_limits $program "clang $version" "$LIMITS_DIR/$version/bpf/$program.bpf.o"
	done
done
tap_end
