#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# `sipxdp-ctl away` and `back`: only the health checks change. Numbered packets arrive all the time, and none is lost.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

PORT=9464
METRICS="metrics: {listen: '$LAB_BALANCER:$PORT'}"
AWAY="the balancer is away ('sipxdp-ctl back' ends this)"

get() {
	lab_in client curl -sS --max-time 20 "http://$LAB_BALANCER:$PORT$1"
}

# health: prints the exit status and the first line
health() {
	local status=0 text
	text=$(lab_ctl health 2>&1) || status=$?
	echo "$status ${text%%$'\n'*}"
}

upgrade_to_new_maps() {
	LAB_SECTIONS="limits: {pools: 16}"$'\n'"$METRICS" lab_config dsr
	lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG" > /dev/null
}

restart() {
	lab_stop sipxdpd TERM
	lab_daemon
}

lab_open
lab_flat 2
LAB_SECTIONS=$METRICS lab_config dsr
lab_balance
wait_for 10 lab_ctl health

through "away takes effect" lab_ctl away
is "... health fails" "$(health)" "1 $AWAY"
is "... /readyz has the same reason" "$(get /readyz)" "$AWAY"
like "... status has a warning" "$(lab_ctl status)" "^warning: +the balancer is away"
like "... the metric is 1" "$(get /metrics)" "^sipxdp_away 1$"
like "... the log names the user" "$(cat "$LAB_DIR/sipxdpd.log")" "root requested 'away': done"
is "a second away changes nothing" "$(lab_ctl away)" "nothing to change"

through "the balancer is away after a restart of the daemon" restart
is "... health fails" "$(health)" "1 $AWAY"
through "the balancer is away after an upgrade" lab_in balancer sipxdp-loader upgrade
is "... health fails" "$(health)" "1 $AWAY"
through "the balancer is away after an upgrade to new maps" upgrade_to_new_maps
is "... health fails" "$(health)" "1 $AWAY"
check "... /readyz, too" wait_for 10 eval '[ "$(get /readyz)" = "$AWAY" ]'

# --- --wait
start_packets --rate 100
like "away --wait fails while packets arrive" "$(lab_ctl away --wait 3 2>&1 || echo "status $?")" \
	"packets for services still arrive after 3 s"
lab_stop numbered || true
check "... and returns when they have stopped" lab_ctl away --wait 60

through "back takes effect" lab_ctl back
is "... health succeeds" "$(health)" "0 healthy"
like "... the metric is 0" "$(get /metrics)" "^sipxdp_away 0$"

# --- without the daemon
lab_stop sipxdpd TERM || true
like "without the daemon, away writes to the maps" "$(lab_ctl away 2>&1)" "written to the maps"
is "... health fails" "$(health)" "1 $AWAY"
like "... status has a warning" "$(lab_ctl status 2> /dev/null || true)" "^warning: +the balancer is away"
lab_daemon
is "... also after the start of the daemon" "$(health)" "1 $AWAY"
check "... back undoes it" lab_ctl back
is "... health succeeds" "$(health)" "0 healthy"

lab_ctl away > /dev/null
lab_stop sipxdpd TERM || true
lab_in balancer sipxdp-loader detach > /dev/null
lab_balance
check "detach ends the state" wait_for 10 lab_ctl health
tap_end
