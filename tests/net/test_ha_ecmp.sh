#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# docs/ha-ecmp.md with BIRD: three balancers behind a router. The packets of each call arrive from different ports, so all
# balancers receive packets of each call. Numbered packets arrive while balancers leave, return and fail.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh
. tests/lib/ha.sh
. tests/lib/ha_ecmp.sh

RATE=2000
HA_LEAVE_OUT="vtysh -c|systemctl restart frr"

lab_open
ecmp_lab dsr
for backend in "${LAB_BACKENDS[@]}"; do
	lab_start "echo-$backend" "$backend" tests/net/named_echo.py "$backend" 5060 "$LAB_VIP6"
done
ha_write_files "$ECMP_SLOWER; $HA_PROBED"
ha_start
ecmp_frr router
for host in "${HA_BALANCERS[@]}"; do
	ecmp_announce "$host"
	ecmp_bird "$host"
done
check "the router distributes packets over three balancers" wait_for 30 ecmp_hops 3

steady_start 3000
ecmp_send --calls
for host in "${HA_BALANCERS[@]}"; do
	check "packets reach $host" wait_for 10 grows "$host"
done
ecmp_none_lost "three balancers"
steady_all_answered "... and every datagram with fragments to the IPv6 VIP is answered"

# --- maintenance
steady_start
ecmp_send --calls
ha_run last
check "the balancer returns" wait_for 30 ecmp_hops 3
ecmp_none_lost "away, upgrade and back"
steady_all_answered "... every datagram to the IPv6 VIP is answered"

ecmp_no_server_answers

# --- failures
steady_start
ecmp_send --calls
lab_stop bird-spare KILL || true
check "BIRD is killed: two balancers receive packets" wait_for 30 ecmp_hops 2
ecmp_bird spare
check "... it starts again" wait_for 30 ecmp_hops 3
ecmp_none_lost "BIRD is killed and starts again"
steady_all_answered "... every datagram to the IPv6 VIP is answered"

before=$(ecmp_packets)
ecmp_send --calls
lab_in switch ip link set dev third-eth0 down
check "a balancer has no network: two balancers receive packets" wait_for 30 ecmp_hops 2
sleep 0.5
lab_in switch ip link set dev third-eth0 up
check "... it returns" wait_for 30 ecmp_hops 3
check "... packets reach it" wait_for 10 grows third
ecmp_sent
is "... only those of $(result sent) packets are lost that the router sent to it" "$(result lost)" \
	$(($(result sent) - $(ecmp_packets) + before))
stays
tap_end
