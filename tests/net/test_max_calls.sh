#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# max_calls with least-calls and with the hash, overload: refuse, `backend add --max-calls`, calls that are silent, and a
# change to and from balance: hash while calls are up.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/balance.sh

# flags_are FLAGS: enum balance_flags of the pool in the maps.
flags_are() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/balances |
		jq -e ".[0].formatted.value.flags == $1"
}

# all_received: the number of calls whose INVITE a server has received.
all_received() {
	echo $(($(received px1) + $(received px2) + $(received px3)))
}

reasons_are() {
	[ "$(lab_ctl --json backend list | jq -r 'map(.reason) | unique | join(",")')" = "$1" ]
}

# stay NAME CALLS LEFT: has this client begun all its calls, so many of which last?
stay() {
	[ "$(sip_statistic "$1" TotalCallCreated) $(sip_statistic "$1" CurrentCall)" = "$2 $3" ]
}

lab_open
lab_flat 3
configure $'balance: least-calls\nmax_calls: 5'
lab_balance
serve answer

# --- least-calls

sip_hold few client "$LAB_CLIENT" 5080 call 15 10
check "15 calls fill three servers" wait_for 20 have 15
is "... with five calls each" "$(lab_ctl --json backend list | jq -c '[.[].calls]')" "[5,5,5]"
check "... the reason is shown" wait_for 5 reasons_are "full (max_calls 5)"
sip_release few
check "the calls succeed" lab_wait few 60
check "... and the servers have room again" wait_for 10 reasons_are ""

configure $'balance: least-calls\nmax_calls: 5\noverload: refuse'
check "a reload sets overload: refuse" lab_ctl reload
before=$(lab_verdict refused) before_received=$(all_received)
sip_hold many client "$LAB_CLIENT" 5085 maybe-refused 25 20
check "15 of 25 calls stay" wait_for 20 stay many 25 15
sip_release many
check "25 calls succeed or are refused" lab_wait many 60
check "... 10 of them were refused" [ $(($(lab_verdict refused) - before)) -ge 10 ]
like "... which status reports" "$(lab_ctl status)" 'pool proxies: all backends are full: new calls are refused with 503'
is "... the servers have received 15 INVITEs" "$(($(all_received) - before_received))" 15

# --- silent calls, and back to the hash

configure 'balance: least-calls'
check "a reload removes the limit" lab_ctl reload
sip_hold silent client "$LAB_CLIENT" 5095 call 15 15
check "15 calls are placed" wait_for 20 have 15
lab_stop sipxdpd || true
lab_start sipxdpd balancer unshare --time --monotonic 2000 sipxdpd -c "$LAB_CONFIG"
check "for a daemon that starts 2,000 s later, the calls are silent and no longer count" wait_for 20 have 0
sip_release silent
check "... the calls succeed" lab_wait silent 60
is "... their BYE requests reach the servers of the calls" "$(sip_strays)" ""
lab_stop sipxdpd || true
lab_daemon

sip_hold last client "$LAB_CLIENT" 5090 call 30 30
check "30 calls are placed" wait_for 20 have 30
configure 'min_alive: 10'
check "a reload changes to balance: hash" lab_ctl reload
configure 'min_alive: 10' 8192
check "... an upgrade makes new maps" lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
sip_release last
check "... the calls succeed" lab_wait last 60
is "... and stay where they are" "$(sip_strays)" ""

# --- a limit with the hash, for a server that is added

check "a server is added with a limit" lab_ctl backend remove proxies px3
check "... of its own" lab_ctl backend add proxies px3 10.0.0.13 --max-calls 4
check "... which the program applies after 9 s" wait_for 15 flags_are 10
like "... the numbers have an error, because earlier calls are not counted" "$(field px3 .calls_error)" '^[1-9]'
lab_stop sipxdpd KILL || true
lab_daemon
sip_hold hash client "$LAB_CLIENT" 5097 call 30 10
check "the server becomes full, also after a restart" wait_for 20 eval '[ "$(field px3 .reason)" = "full (max_calls 4)" ]'
check "... the others have the other calls" wait_for 10 have 30
like "... the server has about its limit" "$(field px3 .calls)" '^[4-6]$'
sip_release hash
check "the calls succeed" lab_wait hash 60
is "no call has moved" "$(sip_strays)" ""
check "no calls remain" wait_for 10 have 0
tap_end
