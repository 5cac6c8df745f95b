#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Numbered packets to servers with `forward: nat`, and their answers, while the daemon restarts, the file changes and the
# maps are replaced: no packet is lost, and no answer has the address of a server. tshark verifies the checksums of 100,000
# answers, and of nearly as many requests.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

# write_config LIMITS BACKENDS
write_config() {
	lab_write balancer "$LAB_CONFIG" <<- YAML
		interfaces: [eth0, eth1]
		hash_key: 2b7e151628aed2a6abf7158809cf4f3c
		limits: {$1}
		services:
		  - {name: sip, vip: $LAB_VIP, port: 5060, pool: proxies}
		pools:
		  - name: proxies
		    forward: nat
		    record_time: 0s
		    backends: [$2]
	YAML
}

PX1='{name: px1, address: 10.0.1.11}'
PX2='{name: px2, address: 10.0.1.12}'

restart() {
	lab_stop sipxdpd
	lab_daemon
}

add() {
	write_config "slots: 4096" "$PX1, $PX2"
	lab_ctl reload
	wait_for 10 lab_serving 2
}

remove() {
	lab_ctl backend drain proxies px2
	wait_for 10 lab_serving 1
	sleep 0.2 # the last answers of px2
	write_config "slots: 4096" "$PX1"
	lab_ctl reload
}

upgrade() {
	write_config "slots: 4096, backends: 100" "$PX1, $PX2"
	lab_in balancer sipxdp-loader upgrade -c "$LAB_CONFIG"
	lab_ctl reload
}

# answered NAME COMMAND...: like through() of numbered.sh, but also checks the answers.
answered() {
	local name=$1 status=0
	shift
	start_packets --rate 5000 --answers
	check "$name" "$@"
	sleep 0.2
	lab_stop numbered || status=$?
	diag "$(cat "$LAB_DIR/numbered.log")"
	is "... all of $(result sent) packets arrived, and all answers returned from the VIP" \
		"$(result lost) $(($(result sent) - $(result answered))) $(result duplicated)" "0 0 0"
}

# capture HOST COUNT FILTER: captures COUNT packets on eth0 of the host.
capture() {
	lab_start "capture-$1" "$1" tshark -Q -i eth0 -B 64 -c "$2" -w "$LAB_DIR/$1.pcap" "$3"
	wait_for 10 test -s "$LAB_DIR/$1.pcap"
}

captures_end() {
	local host
	for host in client px1 px2; do
		lab_wait "capture-$host" 60 || return 1
	done
}

# captured HOST: the number of captured packets with correct checksums
captured() {
	tshark -r "$LAB_DIR/$1.pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-Y 'ip.checksum.status == 1 and udp.checksum.status == 1' 2> /dev/null | wc -l
}

lab_open
lab_nat 2
write_config "slots: 4096" "$PX1, $PX2"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
lab_daemon
wait_for 10 lab_serving 2

answered "a restart of the daemon" restart
answered "a server that drains and is removed" remove
answered "a server that is added" add
answered "new maps" upgrade

capture client 100000 "src host $LAB_VIP and udp port 5060"
capture px1 40000 "dst host 10.0.1.11 and udp port 5060"
capture px2 40000 "dst host 10.0.1.12 and udp port 5060"
start_packets --rate 20000 --answers
check "more than 100,000 packets in each direction" captures_end
lab_stop numbered || true
is "... 100,000 answers have correct checksums" "$(captured client)" 100000
is "... and 40,000 requests to each server, too" "$(captured px1) $(captured px2)" "40000 40000"
is "no anomaly" "$(lab_ctl status | grep anomaly || true)" ""
tap_end
