# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Adds the results of one TAP report to the report of the caller. Needs tests/lib/tap.sh.

# relay PREFIX: reads the report from standard input and puts PREFIX before the name of each test. Lines that
# are not results become diagnostics. A report without a plan was aborted, and fails.
relay() {
	local prefix=$1 line name plan=
	while IFS= read -r line; do
		line=${line%$'\r'}
		if [[ $line =~ ^1\.\.[0-9]+ ]]; then
			plan=$line
		elif [[ $line =~ ^(not )?ok( +[0-9]+)?( +-)?\ +(.*)$ ]]; then
			name=$prefix:\ ${BASH_REMATCH[4]}
			# Criterion appends the duration.
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
	[ -n "$plan" ] || not_ok "$prefix: the report is complete"
}

# relay_guest PREFIX DIRECTORY STATUS: relays the report of a guest. If the guest did not finish it, prints the exit STATUS
# and the output of QEMU, and the end of the console.
relay_guest() {
	touch "$2/report" "$2/console"
	relay "$1" < "$2/report"
	if ! grep -q '^1\.\.' "$2/report"; then
		diag "QEMU: exit status $3; its output:" "$(cat "$2/qemu.log")"
		diag "the last lines of the console:"
		diag "$(tail -n 40 "$2/console")"
	fi
}
