#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The lists of keys, counters, commands, options and drivers in docs/ and man/ are those of the source.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh

reference=build/tools/reference/reference
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# fails_with NAME REGEX COMMAND...
fails_with() {
	local name=$1 regex=$2 output status=0
	shift 2
	output=$("$@" 2>&1) || status=$?
	is "$name: exit status" $status 1
	like "... the message" "$output" "$regex"
}

shopt -s nullglob
for page in docs/reference/*.md docs/kernels.md man/*; do
	check "$page is up to date ('make docs')" $reference --check "$page"
done
check "docs/kernels.md has the drivers" grep -q "generated: drivers -->" docs/kernels.md
for list in keys "counters of the balancer" "counters of a service" "counters of a backend" "counters of decap" "options of sipxdpd" "commands of sipxdp-loader" \
	"options of sipxdp-loader" "commands of sipxdp-ctl" "options of sipxdp-ctl"; do
	check "docs/reference/ has the $list" grep -q "generated: $list -->" docs/reference/*.md
done

sed 's/^| `slots` .*/| `slots` | something else |/' docs/reference/keys.md > "$scratch/keys.md"
fails_with "a page that differs from the source" "keys.md is out of date: run 'make docs'" \
	$reference --check "$scratch/keys.md"
check "... is corrected" $reference "$scratch/keys.md"
check "... and has its old text again" cmp docs/reference/keys.md "$scratch/keys.md"
printf '<!-- generated: kyes -->\n<!-- end of kyes -->\n' > "$scratch/typing.md"
fails_with "a list that does not exist" "typing.md: there is no list 'kyes'" $reference "$scratch/typing.md"
printf '<!-- generated: keys -->\n' > "$scratch/endless.md"
fails_with "a list without its end" "endless.md: no line says 'end of keys'" $reference "$scratch/endless.md"
fails_with "a page that does not exist" "cannot read $scratch/none.md: No such file" $reference "$scratch/none.md"
tap_end
