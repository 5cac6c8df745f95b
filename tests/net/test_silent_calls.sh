#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A placed call that is silent does not count any more, but stays at its server, also after a reload to `balance: hash`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/balance.sh

ALL=$(echo call-{1..9})

# say METHOD TO-PARAMETERS BRANCH: sends a message of each call, and prints which servers answer.
say() {
	local id
	for id in $ALL; do
		printf '5060\t%s sip:b@example.net SIP/2.0\tVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s\tFrom: <sip:a@example.net>;tag=1\tTo: <sip:b@example.net>%s\tCall-ID: %s\tCSeq: 1 %s\tContent-Length: 0\n' \
			"$1" "$LAB_CLIENT" "$3" "$id" "$2" "$id" "${1/ACK/INVITE}"
	done | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" | xargs
}

# silence: marks all calls as the daemon does when they are silent for too long: tracked_call.ended is not 0.
silence() {
	local call
	# shellcheck disable=SC2046 # words
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/counted_calls | jq -c '.[]' | while read -r call; do
		lab_in balancer bpftool map update pinned /sys/fs/bpf/sipxdp/counted_calls key $(jq -r '.key | join(" ")' <<< "$call") \
			value $(jq -r '.value | .[8:12] = .[4:8] | join(" ")' <<< "$call")
	done
}

# balanced: prints pools.balanced.
balanced() {
	lab_in balancer bpftool -j map lookup pinned /sys/fs/bpf/sipxdp/pools key 0 0 0 0 | jq .formatted.value.balanced
}

lab_open
lab_flat 3
configure 'balance: round-robin'
lab_balance
for backend in "${LAB_BACKENDS[@]}"; do
	lab_start "$backend" "$backend" tests/net/named_echo.py "$backend" 5060 "$LAB_VIP"
	check "$backend listens" wait_for 10 lab_in "$backend" sh -c "ss -lun | grep -q ':5060 '"
done
first=$(say INVITE '' first)
is "each server receives 3 of 9 calls" "$(xargs -n 1 <<< "$first" | sort | uniq -c | xargs)" "3 px1 3 px2 3 px3"
is "... which stay there" "$(say ACK ';tag=2' second)" "$first"
silence
check "silent calls do not count" wait_for 30 have 0
configure 'min_alive: 10'
check "a reload goes back to balance: hash" lab_ctl reload
is "... lookup names the servers of the calls" "$(lab_ctl lookup sip $ALL | cut -f2 | xargs)" "$first"
is "... they receive the next messages" "$(say BYE ';tag=2' third)" "$first"
check "when the calls have ended, the program does not look for them" wait_for 30 eval '[ "$(balanced)" = 0 ]'
tap_end
