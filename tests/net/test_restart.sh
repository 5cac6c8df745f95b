#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Numbered packets arrive while the daemon is killed, reloads its file, and the program is replaced: no packet is
# lost, and no packet reaches a different backend unless the file requires that. test_reload_rate.sh sends more packets.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh

answers() {
	wait_for 10 lab_answers
}

daemon_is() {
	[ "$(lab_ctl --json status | jq .pid)" -eq "$1" ]
}

kill_and_restart() {
	local i
	for i in 1 2 3; do
		lab_stop sipxdpd KILL || true
		sleep 0.3
		lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
		wait_for 10 daemon_is "${LAB_PROCESS[sipxdpd]}" || return 1
		wait_for 5 lab_serving 3 || return 1
	done
}

terminate_and_start() {
	lab_stop sipxdpd TERM || return 1
	sleep 0.5
	lab_start sipxdpd balancer sipxdpd -c "$LAB_CONFIG"
	wait_for 10 daemon_is "${LAB_PROCESS[sipxdpd]}"
}

hang_up_often() {
	local i
	for ((i = 0; i < 30; i++)); do
		kill -HUP "${LAB_PROCESS[sipxdpd]}"
		sleep 0.05
	done
	answers && lab_running sipxdpd
}

reload_often() {
	local i
	for ((i = 0; i < 15; i++)); do
		lab_ctl reload || { lab_ctl backend list; cat $LAB_CONFIG; echo "at $i"; return 1; }
	done
}

upgrade_often() {
	local i
	for ((i = 0; i < 10; i++)); do
		lab_in balancer sipxdp-loader upgrade || return 1
	done
}

# set_weight N: sets the weight of px1 in the file.
set_weight() {
	lab_in balancer sed -i "s/\({name: px1, address: [0-9.]*\).*}/\1, weight: $1}/" "$LAB_CONFIG"
}

change_weights() {
	local i
	for i in 3 1 2; do
		set_weight "$i"
		kill -HUP "${LAB_PROCESS[sipxdpd]}"
		wait_for 5 weight_of_px1_is "$i" || return 1
	done
}

weight_of_px1_is() {
	[ "$(lab_ctl --json backend list | jq '.[] | select(.name == "px1") | .weight')" -eq "$1" ]
}

take_out_and_back() {
	lab_ctl backend maint proxies px3 > /dev/null && sleep 0.3 && lab_ctl backend ready proxies px3 > /dev/null
}

program_id() {
	lab_in balancer ip -j link show eth0 | jq '.[0].xdp.prog.id'
}

lab_open
lab_flat 3
LAB_POOL="record_time: 0s" lab_config dsr
lab_balance
owners=$(seq 1000 | lab_ctl lookup sip -)

through "packets flow" true
stays
through "the daemon is killed and started again, three times" kill_and_restart
stays
through "the daemon is stopped with SIGTERM and started again" terminate_and_start
stays
through "30 times SIGHUP with an unchanged file" hang_up_often
stays
through "15 times reload by sipxdp-ctl" reload_often
stays
before=$(program_id)
through "10 times sipxdp-loader upgrade" upgrade_often
stays
check "... a different program is attached" [ "$(program_id)" != "$before" ]
is "every Call-ID still has its owner" "$(seq 1000 | lab_ctl lookup sip -)" "$owners"
through "a weight changes in the file, three times" change_weights
check "... and calls moved" [ "$(result moved)" -gt 0 ]
through "a backend is set to maint and to ready by sipxdp-ctl" take_out_and_back

start_packets
lab_stop sipxdpd KILL || true
sleep 1
lab_stop numbered || true
is "without any daemon none of $(result sent) packets is lost" "$(result lost)" 0
stays

# --- a service changes its VIP while the map has room for one service only

other_vip() {
	lab_ctl --json service list | jq -e 'length == 1 and .[0].vips == ["192.0.2.11"]'
}

lab_in balancer sipxdp-loader detach > /dev/null
lab_config dsr
lab_in balancer sh -c "echo 'limits: {slots: 1024, services: 1}' >> $LAB_CONFIG"
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon
lab_in balancer sed -i "s/$LAB_VIP/192.0.2.11/" "$LAB_CONFIG"
check "a reload replaces the VIP of the only service" lab_ctl reload --move-calls
check "... the service has the new VIP" other_vip
is "... the map has no other entry" "$(lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/services_ipv4 | jq length)" 1

# --- detach and attach while the daemon runs

goes_on() {
	grep -q "filling new maps" "$LAB_DIR/sipxdpd.log"
}

lab_ctl backend remove proxies px1 --drain > /dev/null
lab_in balancer sipxdp-loader detach > /dev/null
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
check "the daemon fills the new maps" wait_for 10 goes_on
check "... and is healthy" wait_for 10 lab_ctl health
is "... a backend that leaves stays until its slots have moved" \
	"$(lab_ctl --json backend list | jq -r '.[] | select(.name == "px1") | .admin')" leaving
like "... it holds their lock: a second daemon is refused" \
	"$(lab_in balancer timeout 10 sipxdpd -c "$LAB_CONFIG" --socket /run/second.sock 2>&1 || true)" "another sipxdpd"
tap_end
