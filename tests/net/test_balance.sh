#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# balance: least-calls with calls of very different lengths: the servers have equal numbers of calls, and no established
# call moves while the daemon is killed, the file is reloaded, new maps are made and a server drains. max_calls and
# overload: refuse.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh

LONG=60
SHORT=120

# configure POOL-LINES [LIMITS]
configure() {
	LAB_POOL=$'record_time: 1s\n'"$1" LAB_SECTIONS="limits: {counted_calls: ${2:-4096}}" lab_config dsr
}

# field NAME FILTER: prints a field of a backend.
field() {
	lab_ctl --json backend list | jq -r ".[] | select(.name == \"$1\") | $2"
}

# have CALLS: have all servers together this number of calls?
have() {
	lab_ctl --json backend list | jq -e "[.[].calls] | add == $1"
}

# are_level CALLS: has each server this number of calls, or one more or less? Calls that begin while the daemon writes a new
# sequence are not in it.
are_level() {
	lab_ctl --json backend list | jq -e "all(.[]; (.calls - $1 | fabs) <= 1)"
}

# flags_are FLAGS: enum balance_flags of the pool in the maps.
flags_are() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/balances |
		jq -e ".[0].formatted.value.flags == $1"
}

# seen: the number of calls that each server has received, as "20 px1 20 px2 20 px3".
seen() {
	sip_owners | cut -d' ' -f2 | sort | uniq -c | xargs
}

# invites: the number of calls whose INVITE a server has received.
invites() {
	local backend
	for backend in "${LAB_BACKENDS[@]}"; do
		sip_seen "$backend" | awk '$1 == "INVITE" { print $2 }'
	done | sort -u | wc -l
}

lab_open
lab_flat 3
configure 'balance: least-calls'
lab_balance
for backend in "${LAB_BACKENDS[@]}"; do
	sip_answer "$backend" "$backend" "$LAB_VIP"
done
like "without calls the numbers are exact" "$(lab_ctl --json backend list | jq -c '[.[] | [.calls, .calls_error]]')" '^\[\[0,0\],\[0,0\],\[0,0\]\]$'

# --- calls of different lengths

sip_client long client "$LAB_CLIENT" call $LONG 30 -d 45000
check "$LONG long calls are counted" wait_for 20 have $LONG
check "... each server has the same number, or one call more or less" are_level $((LONG / 3))
numbers=$(lab_ctl --json backend list | jq -r '[.[] | "\(.calls) \(.name)"] | join(" ")')
is "... which the servers have seen" "$(seen)" "$numbers"
is "... exactly" "$(field px1 .calls_error)" 0
sip_client short client "$LAB_CLIENT" call $SHORT 20 -d 300 -p 5070

lab_stop sipxdpd KILL || true
is "without the daemon, the maps have the same long calls or more" "$(lab_ctl --json backend list 2> /dev/null | jq '[.[].calls] | add >= 60')" true
lab_daemon
check "the daemon restarts; a reload" lab_ctl reload
configure 'balance: least-calls' 8192
check "an upgrade makes new maps" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
lab_start wait balancer sipxdp-ctl backend drain proxies px3 --wait 90
check "$SHORT short calls succeed" lab_wait short 60
check "... only the long calls remain" wait_for 20 have $LONG
left=$(field px3 .calls)
is "... px3 still has its calls" "$numbers" "${numbers% * px3} $left px3"
is "... backend calls lists them" "$(lab_ctl --json backend calls proxies px3 | jq length)" "$left"
check "... and drain --wait waits for them" lab_running wait
check "all long calls succeed" lab_wait long 90
is "... all $LONG of them" "$(sip_statistic long 'SuccessfulCall(C)')" $LONG
is "no call has moved" "$(sip_strays)" ""
check "no calls remain" wait_for 10 have 0

# --- a limit

lab_ctl backend ready proxies px3 > /dev/null
configure $'balance: least-calls\nmax_calls: 5' 8192
check "a reload sets max_calls" lab_ctl reload
sip_client few client "$LAB_CLIENT" call 15 10 -d 8000 -p 5080
check "15 calls fill three servers" wait_for 20 have 15
is "... with five calls each" "$(lab_ctl --json backend list | jq -c '[.[].calls]')" "[5,5,5]"
check "... the reason is shown" wait_for 5 eval '[ "$(field px1 .reason)" = "full (max_calls 5)" ]'
check "the calls succeed" lab_wait few 60
check "... and the servers have room again" wait_for 10 eval '[ "$(field px1 .reason)" = "" ]'
is "no call has moved" "$(sip_strays)" ""

configure $'balance: least-calls\nmax_calls: 5\noverload: refuse' 8192
check "a reload sets overload: refuse" lab_ctl reload
before=$(lab_verdict refused) before_invites=$(invites)
sip_client many client "$LAB_CLIENT" maybe-refused 25 10 -d 6000 -p 5085
check "25 calls succeed or are refused" lab_wait many 60
check "... 10 of them were refused" [ $(($(lab_verdict refused) - before)) -ge 10 ]
like "... which status reports" "$(lab_ctl status)" 'pool proxies: all backends are full: new calls are refused with 503'
is "... the servers have received 15 INVITEs" "$(($(invites) - before_invites))" 15

# --- silent calls, and back to the hash

configure 'balance: least-calls' 8192
check "a reload removes the limit" lab_ctl reload
sip_client silent client "$LAB_CLIENT" call 15 15 -d 25000 -p 5095
check "15 calls are placed" wait_for 20 have 15
lab_stop sipxdpd || true
lab_start sipxdpd balancer unshare --time --monotonic 2000 sipxdpd -c "$LAB_CONFIG"
check "for a daemon that starts 2,000 s later, the calls are silent and no longer count" wait_for 20 have 0
check "... the calls succeed" lab_wait silent 60
is "... their BYE requests reach the servers of the calls" "$(sip_strays)" ""
lab_stop sipxdpd || true
lab_daemon

sip_client last client "$LAB_CLIENT" call 30 30 -d 6000 -p 5090
check "30 calls are placed" wait_for 20 have 30
configure 'min_alive: 10' 8192
check "a reload changes to balance: hash" lab_ctl reload
check "... the calls succeed" lab_wait last 60
is "... and stay where they are" "$(sip_strays)" ""

# --- a limit with the hash

configure $'max_calls: 4\noverload: refuse' 8192
check "a reload sets max_calls with balance: hash" lab_ctl reload
check "... which the program applies" wait_for 15 flags_are 14
sip_client hash client "$LAB_CLIENT" maybe-refused 30 10 -d 6000 -p 5095
check "the servers become full" wait_for 20 eval '[ "$(lab_ctl --json backend list |
	jq -c "[.[].reason]")" = "[\"full (max_calls 4)\",\"full (max_calls 4)\",\"full (max_calls 4)\"]" ]'
is "... the numbers are exact" "$(field px1 .calls_error)" 0
check "the calls succeed or are refused" lab_wait hash 60
is "no call has moved" "$(sip_strays)" ""
check "no calls remain" wait_for 10 have 0
tap_end
