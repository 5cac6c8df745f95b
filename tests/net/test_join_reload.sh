#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Servers join one after another during continuous reloads. Every server whose start was accepted is in the
# pool afterwards. If the daemon starts with a file that does not fit a server that joined, the file can be corrected.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

PORT=7946
SECRET=4ff8d27cf1b5a0e9
COUNT=200

# missing: the servers whose start was accepted and that are not in the pool
missing() {
	comm -23 <(sort "$LAB_DIR/starts.log") <(lab_ctl --json backend list proxies | jq -r '.[].name' | sort) | xargs
}

# write_nat SERVICES
write_nat() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, node_timeout: 10m}
		services: [$1]
		pools: [{name: proxies, forward: nat, record_time: 0s, backends: []}]
	YAML
}

logs() {
	grep -q "$1" "$LAB_DIR/sipxdpd.log"
}

has_joined() {
	lab_ctl --json backend list | grep -q '"name": "n1"'
}

try_conflict() {
	local service="{name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}"
	write_nat "$service"
	lab_in balancer sipxdp-loader detach > /dev/null
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
	lab_daemon
	lab_in px1 tests/net/starts.py "$LAB_BALANCER" $PORT $SECRET proxies 10.0.0 1 0.001
	wait_for 10 has_joined
	lab_stop sipxdpd
	write_nat "$service, {name: other, vip: 192.0.2.11, port: 5060, pool: proxies}"
	lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
	check "a start with a file that conflicts with a server that joined names the server" wait_for 10 logs \
		"192.0.2.11 udp port 5060 is translated to port 5060 of backend .*: remove it first, or change the file"
	check "... and waits" wait_for 5 logs "waiting for new maps or a different $LAB_CONFIG"
	write_nat "$service, {name: other, vip: 192.0.2.12, port: 5060, pool: proxies}"
	check "a different file with the same fault is reported" wait_for 10 logs "192.0.2.12 udp port 5060 is translated"
	write_nat "$service"
	check "with a corrected file, the daemon starts with the server" wait_for 10 has_joined
}

lab_open
lab_flat 1
LAB_SECTIONS="join: {listen: '$LAB_BALANCER:$PORT', secret: $SECRET, node_timeout: 10m}" lab_config dsr
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
wait_for 10 lab_serving 1
lab_start starts px1 tests/net/starts.py "$LAB_BALANCER" $PORT $SECRET proxies 10.0.0 $COUNT 0.001
reloads=0
while lab_running starts; do
	lab_ctl reload > /dev/null
	reloads=$((reloads + 1))
done
diag "$reloads reloads"
is "all servers except the one whose address is in the file joined" "$(wc -l < "$LAB_DIR/starts.log")" $((COUNT - 1))
is "... no reload removed any of them" "$(missing)" ""
check "a further reload succeeds" lab_ctl reload
is "... all servers are still there" "$(missing)" ""
lab_stop sipxdpd
try_conflict
tap_end
