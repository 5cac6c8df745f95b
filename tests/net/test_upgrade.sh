#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# An upgrade from earlier releases, whose maps have different ABI versions, while numbered packets arrive and
# slots migrate: no packets, runtime changes or calls are lost.
#
# Starts early: it takes nearly a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

RELEASES=${RELEASES:-71d4db2 bbb2479} # ABI 3 and 6
CALLS=60

# build_release COMMIT: builds the release only once, in build/.
build_release() {
	local directory=build/releases/$1
	if [ ! -x "$directory/build/sipxdpd" ]; then
		mkdir -p "$directory" && git archive "$1" | tar -x -C "$directory"
		make -s -j2 -C "$directory" CFLAGS=-O0 build/sipxdp-loader build/sipxdpd build/sipxdp-ctl > "$LAB_DIR/release.log" 2>&1 ||
			{ tail -n 20 "$LAB_DIR/release.log" && return 1; }
	fi
	PATH=$PWD/$directory/build:$PATH
}

# say METHOD TO-PARAMETERS PREFIX: one message of each call; prints the backend that received it.
say() {
	local n
	for ((n = 1; n <= CALLS; n++)); do
		printf '5061\t%s sip:service@%s SIP/2.0\tVia: SIP/2.0/UDP %s;branch=z9hG4bK-%s-%s-%s\tFrom: <sip:c@%s>;tag=%s\tTo: <sip:s@%s>%s\t' \
			"$1" "$LAB_VIP" "$LAB_CLIENT" "$1" "$3" $n "$LAB_CLIENT" $n "$LAB_VIP" "$2"
		printf 'Call-ID: %s-%s@client\tCSeq: %s %s\tContent-Length: 0\n' "$3" $n "$((RANDOM + 1))" "$1"
	done | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT"
}

# field NAME FILTER: of a backend.
field() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

has_no_slots() {
	[ "$(field "$1" .slots)" = 0 ]
}

by_hand() {
	lab_ctl --json backend list | jq -c '.[] | [.name, .admin, .weight, .overrides]' | xargs
}

says() {
	grep -Fq "$1" "$LAB_DIR/sipxdpd.log"
}

# The first release has a different name for this command.
finish_migration() {
	lab_ctl pool finish proxies 2> /dev/null || lab_ctl pool settle proxies
}

# upgrade_from COMMIT
upgrade_from() {
	local recorded later changes backend
	lab_open
	check "release $1 is built" build_release "$1"
	lab_flat 3
	LAB_POOL=$'record_time: 4s\nprobe: {type: icmp, interval: 200ms, timeout: 150ms}' lab_config dsr
	lab_in balancer sed -i 's/port: 5060/port: 5060-5061/' "$LAB_CONFIG" # 5061: named calls beside the numbered packets
	lab_balance
	for backend in px1 px2 px3; do
		lab_start "$backend-echo" "$backend" tests/net/named_echo.py "$backend" 5061 "$LAB_VIP"
		wait_for 10 grep -q listening "$LAB_DIR/$backend-echo.log"
	done
	check "all backends are up" wait_for 10 eval '[ "$(lab_ctl --json backend list | jq -r ".[].state" | xargs)" = "up up up" ]'
	lab_ctl backend weight proxies px3 2 > /dev/null
	finish_migration > /dev/null
	lab_ctl backend drain proxies px1 > /dev/null
	recorded=$(say INVITE '' recorded)
	check "px1 drains" wait_for 20 has_no_slots px1
	is "calls that were recorded stay on their backends" "$(say INFO ';tag=1' recorded)" "$recorded"
	check "... some of them are on px1" grep -q px1 <<< "$recorded"
	later=$(say INVITE '' later)
	unlike "px1 receives no later calls" "$later" px1
	is "... later calls stay on their backends, too" "$(say INFO ';tag=1' later)" "$later"
	changes=$(by_hand)

	PATH=$OWN_PATH
	lab_stop sipxdpd TERM
	lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
	check "the new daemon waits for new maps" wait_for 10 says "but this program needs"
	through "the upgrade" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
	check "... the daemon uses the new maps" wait_for 10 says "the new maps are in place"
	is "calls from before the migration stay on their backends" "$(say INFO ';tag=1' recorded)" "$recorded"
	is "later calls stay on their backends" "$(say INFO ';tag=1' later)" "$later"
	unlike "px1 receives no new calls" "$(say INVITE '' new)" px1
	like "px1 still releases its slots" "$(field px1 .migrating)" "releasing$"
	is "the changes by the operator are unchanged" "$(by_hand)" "$changes"
	is "status has no other warning" "$(lab_ctl --json status | jq -c '[.warnings[] | select(test("veth|the running configuration differs") | not)]')" "[]"
	check "pool finish ends the migration" lab_ctl pool finish proxies
	unlike "... px1 then receives no messages" "$(say INFO ';tag=1' recorded)" px1
	lab_close
}

OWN_PATH=$PATH
for release in $RELEASES; do
	if git cat-file -e "$release^{commit}" 2> /dev/null; then
		upgrade_from "$release"
	else
		skip "an upgrade from $release" "this checkout does not have its history"
	fi
done
tap_end
