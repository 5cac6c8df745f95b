#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# INVITEs of 3,500 bytes in three fragments: in every order, and with a duplicate, each must arrive
# complete at the owner of its Call-ID.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/messages.sh

COUNT=64 # messages of each order
SENDERS=32
RATE=100
ORDERS=(012 021 102 120 201 210 0112 2201)
FIRST=1000 # number of the first message of a run

# send SOURCE VIP ORDER
send() {
	FIRST=$((FIRST + COUNT))
	lab_in client tests/net/fragments.py send "$1" "$2" 5060 "$3" $FIRST $COUNT $SENDERS $RATE
}

# try_orders SOURCE VIP NAME
try_orders() {
	local order
	for order in "${ORDERS[@]}"; do
		send "$1" "$2" "$order"
		arrive_at_owners frag 3500 "$3, order $order: all $COUNT messages arrive complete at their owners"
	done
}

check_counts() {
	is "$1: no fragment was an orphan" "$(lab_verdict orphan_fragment)" 0
	is "$1: no held fragment was dropped" "$(given_up)" 0
	check "$1: some fragments were held" test "$(lab_verdict held_fragment)" -gt 0
	check "$1: later fragments are counted" test "$(lab_verdict fragment)" -gt $COUNT
}

# Held fragments that were dropped, except duplicates.
given_up() {
	lab_ctl --json status |
		jq '[.anomalies[] | select(.verdict == "held_fragment" and (.text | test("duplicate") | not)) | .packets] | add // 0'
}

gave_up() {
	[ "$(given_up)" -eq "$1" ]
}

lab_open
lab_flat 3
lab_config dsr
lab_in balancer sed -i "s/vip: .*/vip: [$LAB_VIP, '$LAB_VIP6']/" "$LAB_CONFIG"
receive_messages
lab_balance
try_orders "$LAB_CLIENT" "$LAB_VIP" "IPv4"
FIRST=$((FIRST + 65536 - COUNT)) # the identification has 16 bits
ORDERS=(210)
try_orders "$LAB_CLIENT" "$LAB_VIP" "IPv4 with identifications used just before"
ORDERS=(012 021 102 120 201 210 0112 2201)
try_orders "2001:db8::${LAB_CLIENT##*.}" "$LAB_VIP6" "IPv6"
check_counts "both"

send "$LAB_CLIENT" "$LAB_VIP" 12
check "later fragments without a first fragment are dropped and counted" wait_for 3 gave_up $((2 * COUNT))
tap_end
