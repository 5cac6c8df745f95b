#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0 Runs every command of the README and the user guide, page after page, as a reader
# would: in a lab where no host has the VIP yet, with /etc, /run, /usr/local and bpffs of its own. Commands with the
# mark "at the end" run after the commands of all pages, because they remove objects that other commands need.
# tests/lib/readme-blocks describes the comments that control this.
#
# usage: tests/net/test_readme.sh [PAGE...]
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

PAGES=(README.md docs/install.md docs/configure.md docs/operate.md docs/guard.md)
BLOCK_TIMEOUT=30

# run_block HOST FILE: the shell is strict, because a reader stops at the first command that fails.
run_block() {
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

append_file() {
	lab_in balancer tee -a "$2" < "$1" > /dev/null
}

# The guide assumes an SIP server on each backend.
start_backends() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" sysctl -qw net.ipv4.ip_nonlocal_bind=1
		sip_answer "$backend" "$backend" "$LAB_VIP"
	done
}

# read_page PAGE: appends a line to $LAB_DIR/blocks for each block of a page: its place, its file,
# the action and the argument. Without commands the page was not understood.
read_page() {
	local directory=$LAB_DIR/pages/$1
	mkdir -p "$directory"
	tests/lib/readme-blocks "$1" "$directory" > "$directory/list" && grep -q . "$directory/list" &&
		awk -F '\t' -v page="$1" -v directory="$directory" -v OFS='\t' \
			'{ print page ":" $2, directory "/" $1, $3, $4 }' "$directory/list" >> "$LAB_DIR/blocks"
}

# run_blocks ACTION...: in the order of the pages, those blocks that have one of these actions.
run_blocks() {
	local place file action argument host name
	while IFS=$'\t' read -r place file action argument <&3; do
		[[ " $* " == *" $action "* ]] || continue
		name="$place: $(grep -m 1 -v '^ *#' "$file")"
		case $action in
		skip) skip "$name" "$argument" ;;
		file) check "$place: the file $argument" write_file "$file" "$argument" ;;
		append) check "$place: the lines for $argument" append_file "$file" "$argument" ;;
		background) check "$name" start_block "${place//[^a-z0-9]/-}" "$argument" "$file" ;;
		run | last)
			for host in $argument; do
				check "$name (on $host)" run_block "$host" "$file"
			done
			;;
		esac
	done 3< "$LAB_DIR/blocks"
}

[ $# -eq 0 ] || PAGES=("$@")
LAB_BARE=yes
lab_open
lab_flat 3
for host in balancer "${LAB_BACKENDS[@]}"; do
	lab_in "$host" mount -t tmpfs tmpfs /usr/local
done
start_backends
for page in "${PAGES[@]}"; do
	check "$page has commands" read_page "$page"
done
run_blocks file background skip run append
run_blocks last
tap_end
