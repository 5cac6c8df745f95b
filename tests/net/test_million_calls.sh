#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# 1,000,000 live calls in a pool with least-calls: the numbers and the memory, a restart, an upgrade, and a full map: then
# new calls go by the hash, and no call moves.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/balance.sh

PINS=/sys/fs/bpf/sipxdp
FILL=$LAB_ROOT/build/tests/tools/fill-calls
ROOM=1048576 # limits: counted_calls

# bytes: the memory of the map of calls.
bytes() {
	lab_in balancer bpftool -j map show pinned $PINS/counted_calls | jq .bytes_memlock
}

# counter NAME: a counter of the pool in the metrics of the maps.
counter() {
	lab_in balancer bpftool -j map dump pinned $PINS/balance_counters | jq "[.[0].formatted.values[].value.$1] | add"
}

# fill COUNT: prints the number of calls that have found room.
fill() {
	lab_in balancer "$FILL" $PINS "$1" 3
}

lab_open
lab_flat 3
configure 'balance: least-calls' $ROOM
lab_balance
serve answer
diag "$(bytes) bytes for $ROOM calls, $(($(bytes) / ROOM)) bytes each"
check "a call needs about 150 bytes" [ $(($(bytes) / ROOM)) -le 160 ]

# upgrade: an upgrade to new maps; writes its system calls to a file.
upgrade() {
	lab_in balancer strace -f -qq -e signal=none -o "$LAB_DIR/writes" -e trace=bpf sipxdp-loader upgrade -c "$LAB_CONFIG"
}

# are_up_to LOW HIGH: is the number of calls of all servers within these bounds?
are_up_to() {
	lab_ctl --json backend list | jq -e "[.[].calls] | add | . >= $1 and . <= $2"
}

# --- a million calls

sip_hold long client "$LAB_CLIENT" 5075 call 30 30
check "30 calls of sipp are counted" wait_for 20 have 30
is "1,000,000 calls more fit" "$(fill 1000000)" 1000000
lab_stop sipxdpd KILL || true
lab_daemon
check "a restarted daemon counts them" wait_for 20 have 1000030
sip_client more client "$LAB_CLIENT" call 30 30 -d 1000 -p 5070
check "30 calls begin and end" lab_wait more 30
check "... the numbers are the same as before" wait_for 10 have 1000030
is "... the calls were dealt out evenly" "$(received px1) $(received px2) $(received px3)" "20 20 20"
configure 'balance: least-calls' $((ROOM + 1))
check "an upgrade makes new maps" upgrade
check "... with all calls" have 1000030
# One write for each call takes several seconds; the daemon waits at most 5 s.
check "... it writes many calls at once" [ "$(grep -c BPF_MAP_UPDATE "$LAB_DIR/writes")" -lt 1000 ]

# --- the limit

calls=$(fill 2000000)
check "the map becomes full" [ $calls -ge $((ROOM - 90)) ] # 30 of sipp are up, 30 have ended
sip_client full client "$LAB_CLIENT" call 60 30 -d 1000 -p 5080
check "60 calls succeed although the map is full" lab_wait full 30
check "... they go by the hash" [ "$(counter untabled)" -ge 20 ] # the daemon may have deleted entries of ended calls
like "... which status reports" "$(lab_ctl status)" 'pool proxies: the map of counted calls is full: new calls are distributed by the hash'
sip_release long
check "the calls from before succeed" lab_wait long 90
is "no call has moved" "$(sip_strays)" ""

# --- new maps that are too small

configure 'balance: least-calls' 500000
like "an upgrade to smaller maps says how many calls do not fit" "$(upgrade 2>&1)" "warning: 5[0-9]{5} counted calls do not fit"
check "... it counts the others" are_up_to 499000 500000
tap_end
