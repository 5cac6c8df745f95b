#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# GUE on a different UDP port: decap accepts two ports while the farm changes from one to the other, no packet is lost, and
# a server that joins by itself receives its packets on the port of the pool.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

PINS=/sys/fs/bpf/sipxdp
SECRET=4ff8d27cf1b5a0e9
JOIN=$LAB_BALANCER:7946

# attach HOST [OPTION...]
attach() {
	lab_in "$1" sipxdp-loader attach --program decap eth0 "${@:2}" 2>&1
}

ports() {
	lab_in px1 sipxdp-loader status --json | jq -c '.programs[0].accepts.gue_ports'
}

# config [PORT]: px1 and px2 are in the file.
config() {
	LAB_POOL="record_time: 0s"$'\n'"probe: {type: icmp, interval: 500ms, timeout: 300ms, fall: 2, rise: 1}"
	[ $# -eq 0 ] || LAB_POOL+=$'\n'"gue_port: $1"
	LAB_SECTIONS="join: {listen: '$JOIN', secret: $SECRET}" lab_config gue px1 px2
}

use_port() {
	config "$1"
	lab_ctl reload > /dev/null
}

accept() {
	attach px1 "$@" && attach px2 "$@"
}

# join NAME ADDRESS: the server joins by HTTP.
join() {
	local body now
	body="{\"action\": \"start\", \"pool\": \"proxies\", \"name\": \"$1\", \"address\": \"$2\"}"
	now=$(date +%s)
	lab_in "$1" curl -sf --max-time 5 -H "X-Sipxdp-Time: $now" --data-raw "$body" "http://$JOIN/" \
		-H "X-Sipxdp-Signature: $(printf '%s\n%s' "$now" "$body" | openssl dgst -sha256 -hmac $SECRET -r | cut -d' ' -f1)"
}

# Only px3 runs a server that responds.
joined_responds() {
	printf '5060\tOPTIONS sip:a SIP/2.0\tCall-ID: %s\n' {1..20} | lab_in client tests/net/say.py "$LAB_VIP" "$LAB_CLIENT" |
		grep px3
}

has_slots() {
	[ "$(lab_ctl --json backend list | jq ".[] | select(.name == \"$1\") | .slots")" -gt 0 ]
}

lab_open
lab_flat 3
config
attach px1 --from $LAB_BALANCER > /dev/null
is "by default decap accepts GUE on port 6080" "$(ports)" "[6080]"
like "attach names further ports" "$(accept --from $LAB_BALANCER --gue-port 6080 --gue-port 7000)" "GUE is accepted on UDP port 6080, 7000"
LAB_BACKENDS=(px1 px2)
lab_balance
PACKETS_A_SECOND=1000 through "a reload changes the port of the pool" use_port 7000
PACKETS_A_SECOND=1000 through "decap stops accepting the previous port" accept --gue-port 7000
is "... status shows the new port" "$(ports)" "[7000]"
like "... also as text" "$(lab_in px1 sipxdp-loader status)" "GUE on UDP ports: 7000"

# --- options and pins

for port in 0 65536 6080x; do
	like "--gue-port $port is refused" "$(attach px1 --gue-port $port || true)" "--gue-port must be a port from 1 to 65535"
done
like "five ports are refused" "$(attach px1 --gue-port={1,2,3,4,5} || true)" "at most four times, not '5'"
like "--gue-port is refused for the balancer" "$(lab_in px1 sipxdp-loader attach -c /etc/passwd --gue-port 1 2>&1 || true)" "only with --program decap"
like "attach fails for a missing interface" "$(attach px1 eth7 --gue-port 7001 || true)" "eth7"
lab_in px1 ip link add soft up type bridge
like "... and after the first of two interfaces" "$(attach px1 soft --address 10.9.9.9 --gue-port 7001 || true)" "cannot attach to soft"
lab_in px1 ip link del soft
is "... the port is unchanged" "$(ports)" "[7000]"
check "upgrade" lab_in px1 sipxdp-loader upgrade --program decap
is "... keeps the port" "$(ports)" "[7000]"
lab_in px1 rm $PINS/decap_ports
like "pins of a release without the map: attach names the command to run" "$(attach px1 || true)" "upgrade --program decap"
like "... it sets the port before it replaces the program" \
	"$(lab_in px1 sipxdp-loader upgrade --program decap --gue-port 7000 2>&1)" "GUE is accepted on UDP port 7000"
check "... the backends stay up" lab_serving 2

# --- a server that joins by itself

attach px3 --from $LAB_BALANCER --gue-port 7000 > /dev/null
check "a server joins" join px3 10.0.0.13
check "... its probe through the tunnel succeeds, so it owns slots" wait_for 10 has_slots px3
lab_start echo px3 tests/net/named_echo.py px3 5060 "$LAB_VIP"
wait_for 10 grep -q listening "$LAB_DIR/echo.log"
check "... it receives messages on the port of the pool" joined_responds
tap_end
