#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs every command of README.md, in order, as a reader would: in a lab where nobody
# has the VIP yet, with /etc, /run, /usr/local and bpffs that are the lab's own.
# tests/lib/readme-blocks says which comments in the README steer it.
#
# usage: tests/net/test_readme.sh [FILE]
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

README=${1:-README.md}
BLOCK_TIMEOUT=30

# run_block HOST FILE
run_block() {
	# Strict, because a reader stops at the first command that fails.
	timeout $BLOCK_TIMEOUT nsenter --target "${LAB_HOLDER[$1]}" --net --mount --wd -- \
		bash -euo pipefail "$2" < /dev/null
}

start_block() {
	lab_start "$1" "$2" bash -euo pipefail -c "exec $(cat "$3")"
	if grep -q sipxdpd "$3"; then
		wait_for 10 lab_answers || { cat "$LAB_DIR/$1.log" && return 1; }
	else
		lab_running "$1"
	fi
}

write_file() {
	lab_write balancer "$2" < "$1"
}

# Where the README has an SIP server on each backend.
start_backends() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" sysctl -qw net.ipv4.ip_nonlocal_bind=1
		sip_answer "$backend" "$backend" "$LAB_VIP"
	done
}

if [ ! -e "$README" ]; then
	skip "the commands of $README" "there is no such file"
	tap_end
	exit
fi
LAB_BARE=yes
lab_open
lab_flat 3
for host in balancer "${LAB_BACKENDS[@]}"; do
	lab_in "$host" mount -t tmpfs tmpfs /usr/local
done
start_backends
mkdir "$LAB_DIR/blocks"
tests/lib/readme-blocks "$README" "$LAB_DIR/blocks" > "$LAB_DIR/blocks/list"
count=0
while IFS=$'\t' read -r number line action argument <&3; do
	file=$LAB_DIR/blocks/$number
	name="$README:$line: $(grep -v '^ *#' "$file" | head -n 1)"
	count=$((count + 1))
	case $action in
	skip) skip "$name" "$argument" ;;
	file) check "$README:$line: a file, $argument" write_file "$file" "$argument" ;;
	background) check "$name" start_block "block$number" "$argument" "$file" ;;
	run)
		for host in $argument; do
			check "$name (on $host)" run_block "$host" "$file"
		done
		;;
	esac
done 3< "$LAB_DIR/blocks/list"
check "$README has commands" [ $count -gt 0 ]
tap_end
