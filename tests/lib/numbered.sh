# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sends numbered packets from the client to the VIP in the lab of lab.sh. tests/tools/numbered.c counts
# losses, duplicates and moves.

NUMBERED=$LAB_ROOT/build/tests/tools/numbered
# Packets a second. One is lost if packets are not forwarded for 0.1 ms. tests/net/test_reload_rate.sh sends more.
RATE=10000

# start_packets [OPTION...]: options of tests/tools/numbered; by default --rate $RATE.
start_packets() {
	local backend receivers=()
	[ $# -gt 0 ] || set -- --rate $RATE
	for backend in "${LAB_BACKENDS[@]}"; do
		receivers+=("/run/netns/$LAB_ID-$backend")
	done
	: > "$LAB_DIR/numbered.log"
	# Not on a lab host: the program enters the namespaces itself.
	"$NUMBERED" --from "/run/netns/$LAB_ID-client" --to "$LAB_VIP:5060" --seconds 60 "$@" \
		"${receivers[@]}" > "$LAB_DIR/numbered.log" 2>&1 &
	LAB_PROCESS[numbered]=$!
	sleep 0.5
}

# result FIELD: sent, received, lost, duplicated, reordered, moved
result() {
	sed -n "s/.*\b$1 \([0-9]*\).*/\1/p" "$LAB_DIR/numbered.log"
}

# through NAME COMMAND...: sends packets while the command runs, and checks that none is lost.
through() {
	local name=$1 status=0
	shift
	start_packets --rate "${PACKETS_A_SECOND:-$RATE}"
	check "$name" "$@"
	sleep 0.2
	lab_stop numbered || status=$?
	diag "$(cat "$LAB_DIR/numbered.log")"
	is "... none of $(result sent) packets was lost" "$(result lost)" 0
	is "... none was duplicated" "$(result duplicated)" 0
}

stays() {
	is "... no call moved" "$(result moved)" 0
}
