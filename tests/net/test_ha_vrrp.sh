#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# docs/ha.md: two balancers with keepalived. Numbered packets arrive while the VIPs move for each of the reasons of the page. A
# move by `away`, and a stop of keepalived, lose no packet; no failure moves a call to a different server.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh
. tests/lib/ha.sh

RATE=2000

# moves FROM TO NAME COMMAND...: the command moves the VIPs. Counts the lost packets.
moves() {
	local from=$1 to=$2 name=$3
	shift 3
	start_packets --rate $RATE --calls
	"$@" > /dev/null
	check "$name: the VIPs move from $from to $to" wait_for 15 ha_moved "$from" "$to"
	check "... packets reach $to" wait_for 15 grows "$to"
	lab_stop numbered || true
	diag "$(cat "$LAB_DIR/numbered.log")"
	is "... no call moves to a different server" "$(result moved)" 0
}

# priority_is HOST NUMBER: the last priority that the health checks have set
priority_is() {
	sed -n 's/.*effective priority from [0-9]* to \([0-9]*\).*/\1/p' "$LAB_DIR/keepalived-$1.log" | tail -n 1 | grep -qx "$2"
}

lab_open
lab_flat 3
ha_prepare
for backend in "${LAB_BACKENDS[@]}"; do
	lab_start "echo-$backend" "$backend" tests/net/named_echo.py "$backend" 5060 "$LAB_VIP6"
done
ha_write_files "$HA_SLOWER; $HA_PROBED"
ha_start
ha_keepalived balancer
check "the first balancer gets the VIPs" wait_for 15 ha_has_vips balancer
ha_keepalived spare
check "the second balancer is the backup" wait_for 15 ha_is_backup spare

# --- maintenance
steady_start
start_packets --rate $RATE --calls
ha_run last
sleep 0.5
lab_stop numbered || true
diag "$(cat "$LAB_DIR/numbered.log")"
is "away, upgrade and back: none of $(result sent) packets is lost" "$(result lost)" 0
is "... none is duplicated" "$(result duplicated)" 0
stays
steady_all_answered "... every datagram to the IPv6 VIP is answered"
check "... the VIPs stay on the second balancer (equal priorities)" ha_moved balancer spare
start_packets --rate $RATE
check "... packets reach it" wait_for 10 grows spare
lab_stop numbered || true

# --- no server answers the probes of either balancer
start_packets --rate $RATE --calls
ha_answer_probes 0
for host in balancer spare; do
	check "no server answers $host: it is not healthy" wait_for 40 ha_health_is $host 1
	check "... keepalived reduces its priority" wait_for 20 priority_is $host 80
done
check "... the VIPs stay" ha_moved balancer spare
lab_in spare sipxdp-ctl away > /dev/null
check "... away still moves them" wait_for 20 ha_moved spare balancer
lab_in spare sipxdp-ctl back > /dev/null
check "... back: the priorities are equal" wait_for 20 priority_is spare 80
check "... the VIPs stay" ha_moved spare balancer
ha_answer_probes 1
for host in balancer spare; do
	check "the servers answer $host: it is healthy" wait_for 40 ha_health_is $host 0
	check "... keepalived raises its priority" wait_for 20 priority_is $host 100
done
lab_stop numbered || true
diag "$(cat "$LAB_DIR/numbered.log")"
is "none of $(result sent) packets is lost" "$(result lost)" 0
stays
lab_in balancer sipxdp-ctl away > /dev/null
check "away: the VIPs move to the second balancer" wait_for 20 ha_moved balancer spare
lab_in balancer sipxdp-ctl back > /dev/null
check "... back: the first balancer is the backup" wait_for 20 priority_is balancer 100

# --- failures
moves spare balancer "the health check fails" lab_in spare sipxdp-loader detach
lab_in spare sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
check "... the second balancer becomes the backup" wait_for 15 ha_is_backup spare

start_packets --rate $RATE --calls
lab_stop keepalived-balancer || true
check "keepalived stops: the VIPs move" wait_for 15 ha_moved balancer spare
lab_stop numbered || true
is "... none of $(result sent) packets is lost" "$(result lost)" 0
stays
ha_keepalived balancer
check "... the first balancer becomes the backup" wait_for 15 ha_is_backup balancer

moves spare balancer "the interface goes down" lab_in spare ip link set dev eth0 down
lab_in spare ip link set dev eth0 up
check "... the interface returns, and the VIPs stay" wait_for 15 ha_is_backup spare

steady_start
start_packets --rate $RATE --calls
lab_stop sipxdpd-balancer KILL || true
sleep 3
lab_stop numbered || true
is "the daemon is killed: none of $(result sent) packets is lost" "$(result lost)" 0
steady_all_answered "... nor one to the IPv6 VIP"
check "... the VIPs stay" ha_moved spare balancer
tap_end
