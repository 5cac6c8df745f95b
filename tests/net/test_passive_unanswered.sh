#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Passive health: a server that passes its probes and does not respond to INVITEs.
#
# Starts early: it takes nearly a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/sip.sh
. tests/lib/passive.sh

passive_open
check "all servers are up" wait_for 20 are_states up up up
fault 1 px2
traffic calls 400 10 -d 0
check "a server that does not respond to INVITEs is down" wait_for 60 are_states up down up
end_traffic calls
like "... backend list shows the reason" "$(of px2 .reason)" 'no response to [0-9]+ INVITEs within 32 s'
is "... and the cause" "$(of px2 .passive.cause)" unanswered
traffic after 60 30 -d 0
check "all new calls succeed" all_succeed after
is "no anomaly" "$(lab_ctl status | grep anomaly || true)" ""
tap_end
