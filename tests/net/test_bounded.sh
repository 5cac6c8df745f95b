#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# balance: bounded: a server with more calls than its bound receives no new ones, and no established call moves while the
# daemon is killed, the file is reloaded, new maps are made and a server drains.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/balance.sh

LONG=4000 # at one of three servers: the estimate is then accurate enough for a bound of 200 %

lab_open
lab_flat 3
configure $'balance: bounded\nbound: 200'
lab_balance
serve answer

for backend in px2 px3; do
	lab_ctl backend drain proxies $backend > /dev/null
done
check "px2 and px3 drain" wait_for 10 lab_serving 1
sip_hold long client "$LAB_CLIENT" 5075 call $LONG 400
check "$LONG calls are at px1" wait_for 30 are_up $LONG
is "... all of them" "$(all_up)" "px1 $LONG px2 0 px3 0"
for backend in px2 px3; do
	lab_ctl backend ready proxies $backend > /dev/null
done
check "with all servers in service, px1 is over its bound" wait_for 10 eval '[ "$(field px1 .reason)" = "full (bound 200)" ]'
before=$(received px1)
sip_client new client "$LAB_CLIENT" call 200 100 -d 300 -p 5080
check "200 new calls succeed" lab_wait new 30
is "... px1 has received none of them" "$(($(received px1) - before))" 0
changes $'balance: bounded\nbound: 200'
check "only the long calls remain" wait_for 20 are_up $LONG
check "... px1 still has its bound" wait_for 10 eval '[ "$(field px1 .reason)" = "full (bound 200)" ]'
sip_release long
check "all long calls succeed" lab_wait long 90
is "... all $LONG of them" "$(sip_statistic long 'SuccessfulCall(C)')" $LONG
is "no call has moved" "$(sip_strays)" ""
tap_end
