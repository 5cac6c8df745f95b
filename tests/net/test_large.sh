#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A file that reaches a limit is loaded, planned and reloaded while servers are probed and send
# heartbeats: the event loop keeps running, and no server goes down.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9

LIVE="  - name: live
    record_time: 0s
    probe: {type: tcp, port: 5060, via: address, interval: 200ms, timeout: 200ms}
    backends: [{name: px1, address: 10.0.0.11}]"

# configure PORT: writes a file in which all services except the one with real servers use PORT.
configure() {
	{
		echo "join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, node_timeout: 2s}"
		tests/lib/large-file services 4096 | sed "s/port: 5060/port: $1/" |
			awk -v service="  - {name: sip, vip: $LAB_VIP, port: 5060, pool: live}" -v pool="$LIVE" \
				'{ print } /^services:/ { print service } /^pools:/ { print pool }'
	} | lab_write balancer "$LAB_CONFIG"
}

listens() {
	[ -n "$(lab_in "$1" ss -Hlnt sport = ":$2")" ]
}

states_are() {
	[ "$(lab_ctl --json backend list live | jq -r '[.[].state] | join(" ")')" = "$1" ]
}

status() {
	lab_ctl --json status | jq "$1"
}

server_of_the_last() {
	lab_ctl --json lookup s65534 call@example.net | jq -r '.[0].backend'
}

# answers_until NAME: does the daemon answer requests until the process NAME has ended?
answers_until() {
	ANSWERS=0
	while lab_running "$1"; do
		lab_ctl status > /dev/null || return 1
		ANSWERS=$((ANSWERS + 1))
	done
}

# Reloads the file. The daemon answers other requests meanwhile.
reload() {
	lab_start reload balancer sipxdp-ctl reload "$@"
	answers_until reload && lab_wait reload 60
}

stalls() {
	grep -c 'did not run for' "$LAB_DIR/sipxdpd.log"
}

# waited: how long the threads of the daemon have waited for a processor, in ms (schedstat in proc(5))
waited() {
	cat "/proc/${LAB_PROCESS[sipxdpd]}"/task/*/schedstat | awk '{ sum += $2 } END { printf "%d", sum / 1000000 }'
}

lab_open
lab_flat 2
lab_start px1-tcp px1 tests/net/answer.py tcp 10.0.0.11 5060 "200 OK"
check "a server listens" wait_for 10 listens px1 5060
configure 5060
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
check "65,536 services: the first server is up" wait_for 60 states_are "up"
lab_start px2 px2 tests/net/heartbeats.py sip "$LAB_BALANCER" $PORT $SECRET live px2 10.0.0.12 0.5
lab_start px3 px2 tests/net/heartbeats.py http "$LAB_BALANCER" $PORT $SECRET live px3 10.0.0.13 0.5
# px3 is not a host: px2 has its address and sends its heartbeats.
lab_address px2 eth0 10.0.0.13/24
lab_start px2-tcp px2 tests/net/answer.py tcp 10.0.0.12 5060 "200 OK"
lab_start px3-tcp px2 tests/net/answer.py tcp 10.0.0.13 5060 "200 OK"
check "... two more servers join" wait_for 60 states_are "up up up"
is "... the maps contain all services" "$(status .services)" 65536
check "the last service has a server" eval '[[ $(server_of_the_last) = px* ]]'

check "the unchanged file is reloaded" reload
echo "# it answered $ANSWERS requests meanwhile"
is "... a plan of it contains no steps" "$(lab_ctl --json plan "$LAB_CONFIG" | jq '.steps | length')" 0
configure 5070
is "a plan lists the changes: a different port for each service" \
	"$(lab_ctl --json plan "$LAB_CONFIG" | jq '[.steps[] | select(test("add .* port 5070$"))] | length')" 65535
check "... a reload applies them while the daemon answers" reload --move-calls
echo "# it answered $ANSWERS requests meanwhile"
is "... then a plan contains no steps" "$(lab_ctl --json plan "$LAB_CONFIG" | jq '.steps | length')" 0
is "no reload is running" "$(status .reloading)" false

check "all servers are up" states_are "up up up"
is "... none went down meanwhile" "$(grep -Ec 'backend live/.* is (down|suspected)' "$LAB_DIR/sipxdpd.log")" 0
if [ "$(stalls)" -gt 0 ] && [ "$(waited)" -gt 1000 ]; then
	skip "... and the daemon never stalled" "a busy machine: the daemon waited $(waited) ms for a processor"
else
	is "... and the daemon never stalled" "$(stalls)" 0
fi
echo "# the event loop's longest turn: $(status .longest_turn_ms) ms"
tap_end
