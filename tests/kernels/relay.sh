# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Makes the results of one TAP report part of another. Wants tests/lib/tap.sh.

# relay WHOSE: the report is standard input; WHOSE stands before the name of each test.
# Everything in it that is no result becomes a remark. A report without a plan is one
# that broke off, and fails.
relay() {
	local whose=$1 line name plan=
	while IFS= read -r line; do
		line=${line%$'\r'}
		if [[ $line =~ ^1\.\.[0-9]+ ]]; then
			plan=$line
		elif [[ $line =~ ^(not )?ok( +[0-9]+)?( +-)?\ +(.*)$ ]]; then
			name=$whose:\ ${BASH_REMATCH[4]}
			# Criterion writes how long it took.
			[[ ! $name =~ ^(.*[^ ])\ +\([0-9.]+s\)$ ]] || name=${BASH_REMATCH[1]}
			if [[ $line == not* ]]; then
				not_ok "$name"
			elif [[ $name =~ ^(.*[^ ])\ *'# SKIP '(.*)$ ]]; then
				skip "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
			else
				ok "$name"
			fi
		elif [[ $line == '#'* ]]; then
			printf '%s\n' "$line"
		elif [ -n "$line" ]; then
			diag "$line"
		fi
	done
	[ -n "$plan" ] || not_ok "$whose: the report comes to its end"
}
