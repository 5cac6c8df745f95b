#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Calls that begin before an upgrade to new maps: the retransmission of an INVITE reaches the same server, and limits of calls
# apply to the next call, also if the old maps have a different contract version.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PINS=/sys/fs/bpf/sipxdp
# The padding: the response to a refused INVITE is never larger than the INVITE.
MESSAGE='5060\tINVITE sip:b@example.net SIP/2.0\tVia: SIP/2.0/UDP 10.0.0.100;rport;branch=z9hG4bK%s\tFrom: <sip:a@example.net>;tag=1\tTo: <sip:b@example.net>\tCall-ID: %s\tCSeq: 1 INVITE\tContact: <sip:a@10.0.0.100>\tX-Padding: '$(printf '%0200d' 0)'\tContent-Length: 0\n'

# configure POOL-LINES BACKENDS
configure() {
	LAB_POOL=$'record_time: 0s\n'"$1" LAB_SECTIONS="limits: {counted_calls: 8192, backends: $2}" lab_config dsr "px1, max_rate: 60" px2 px3
}

# invite CALL-ID...: sends INVITEs, one after the other, and prints which server has received each, or SIP/2.0 after a refusal.
invite() {
	local id
	for id; do
		# shellcheck disable=SC2059 # the format is a constant
		printf "$MESSAGE" "$id" "$id"
	done | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT"
}

refuses_calls() {
	[ "$(invite $SECONDS-$RANDOM-{1..10} | sort -u)" = SIP/2.0 ]
}

# use_version VERSION: writes another version into the contract of the pinned maps.
use_version() {
	lab_in balancer sh -c "bpftool map update pinned $PINS/contract key 0 0 0 0 value \$(
		bpftool -j map lookup pinned $PINS/contract key 0 0 0 0 | jq -r '.value | .[0] = \"$1\" | join(\" \")')"
}

upgrade() {
	lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
}

lab_open
lab_flat 3
configure $'max_calls: 5\noverload: refuse' 16
lab_balance
for backend in "${LAB_BACKENDS[@]}"; do
	lab_start "$backend" "$backend" tests/net/named_echo.py "$backend" 5060 "$LAB_VIP"
	wait_for 10 lab_in "$backend" sh -c "ss -lun | grep -q ':5060 '"
done
check "all backends own slots" wait_for 10 lab_serving 3

# --- a limit of calls, and maps of a different contract version

check "the backends are full" wait_for 15 refuses_calls
use_version 0x06
lab_stop sipxdpd TERM
lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
check "an upgrade replaces maps of a different contract version" upgrade
check "... further calls are refused at once" refuses_calls

# --- retransmissions

configure 'min_alive: 10' 16
check "a reload removes the limit of calls, but not the rate of px1" lab_ctl reload
configure 'min_alive: 10' 32
before=$(invite call-{1..30})
like "px1 has received some of 30 INVITEs" "$before" px1
check "an upgrade makes new maps" upgrade
# Other calls use up the rate of px1 before each retransmission.
fill=$(for i in {1..30}; do echo "fill-$i-"{1..30} "call-$i"; done)
# shellcheck disable=SC2086 # words
after=$(invite $fill | awk 'NR % 31 == 0')
is "... each retransmission reaches the server of its INVITE" "$after" "$before"
tap_end
