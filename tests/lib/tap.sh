# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# TAP (Test Anything Protocol) for shell suites. A suite that ends before tap_end prints no plan, which
# tests/run counts as a failure. The trap reports the command that failed.
set -o errtrace
trap '_tap_died $? "$BASH_COMMAND"' ERR

# gojq starts within 4 ms, jq within 25 ms, and some suites start it hundreds of times. The keys of an object are in
# alphabetical order. The emulated machines have jq.
if command -v gojq > /dev/null; then
	jq() {
		gojq "$@"
	}
fi

TAP_COUNT=0
TAP_FAILED=0

# ok NAME
ok() {
	TAP_COUNT=$((TAP_COUNT + 1))
	printf 'ok %d - %s\n' "$TAP_COUNT" "$1"
}

# not_ok NAME [TEXT]: TEXT describes the actual result.
not_ok() {
	TAP_COUNT=$((TAP_COUNT + 1))
	TAP_FAILED=$((TAP_FAILED + 1))
	printf 'not ok %d - %s\n' "$TAP_COUNT" "$1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/#   /'
}

# skip NAME REASON
skip() {
	TAP_COUNT=$((TAP_COUNT + 1))
	printf 'ok %d - %s # SKIP %s\n' "$TAP_COUNT" "$1" "$2"
}

# diag TEXT...: prints a remark that does not affect the result.
diag() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# check NAME COMMAND...: passes if the command succeeds; otherwise shows its output. A function runs in
# this shell, so the variables that it sets remain.
check() {
	local name=$1 output status=0
	shift
	output=$(mktemp)
	"$@" > "$output" 2>&1 || status=$?
	if [ $status -eq 0 ]; then
		ok "$name"
	else
		not_ok "$name" "$(cat "$output" && printf '\nexit status %d: %s' $status "$*")"
	fi
	rm -f "$output"
}

# is NAME GOT WANTED
is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "$(printf 'got:    %s\nwanted: %s' "$2" "$3")"
	fi
}

# like NAME TEXT REGEX: passes if the extended regular expression matches anywhere in TEXT.
like() {
	if grep -Eq -- "$3" <<< "$2"; then
		ok "$1"
	else
		not_ok "$1" "$(printf 'got:              %s\nwanted to match:  %s' "$2" "$3")"
	fi
}

# unlike NAME TEXT REGEX
unlike() {
	if grep -Eq -- "$3" <<< "$2"; then
		not_ok "$1" "$(printf 'got:                  %s\nwanted not to match:  %s' "$2" "$3")"
	else
		ok "$1"
	fi
}

# _tap_died STATUS COMMAND: runs in a shell that `set -e` is about to end.
_tap_died() {
	[[ $- != *e* ]] || echo "# ${BASH_SOURCE[1]##*/}, line ${BASH_LINENO[0]}: status $1 of: $2" >&2
}

# Prints the plan. Its status is the status of the suite.
tap_end() {
	printf '1..%d\n' "$TAP_COUNT"
	[ "$TAP_FAILED" -eq 0 ] || exit 1
}
