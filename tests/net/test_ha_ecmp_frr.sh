#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# docs/ha-ecmp.md with FRR on the balancers and `forward: gue`. Numbered packets arrive while a balancer leaves for maintenance,
# its routing daemon and its sipxdpd are killed, and while its health check fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh
. tests/lib/ha.sh
. tests/lib/ha_ecmp.sh

RATE=2000
HA_LEAVE_OUT="birdc|bird -p|systemctl enable --now bird"

lab_open
ecmp_lab gue
for backend in "${LAB_BACKENDS[@]}"; do
	lab_in "$backend" sipxdp-loader attach --program decap eth0 --from 10.0.0.2 --from 10.0.0.3 --from 10.0.0.4 > /dev/null
	lab_start "echo-$backend" "$backend" tests/net/named_echo.py "$backend" 5060 "$LAB_VIP6"
done
ha_write_files "$ECMP_SLOWER; s/^  - name: proxies$/&\n    forward: gue/; s/10\.0\.0\.1\([123]\)/10.0.1.1\1/; $HA_PROBED"
ha_start
for host in router "${HA_BALANCERS[@]}"; do
	ecmp_frr "$host"
done
for host in "${HA_BALANCERS[@]}"; do
	ecmp_announce "$host"
done
check "the router distributes packets over three balancers" wait_for 30 ecmp_hops 3

steady_start
ecmp_send --calls
for host in "${HA_BALANCERS[@]}"; do
	check "packets reach $host" wait_for 10 grows "$host"
done
ha_run last
check "the balancer returns" wait_for 30 ecmp_hops 3
ecmp_none_lost "away, upgrade and back"
steady_all_answered "... every datagram to the IPv6 VIP is answered"

ecmp_no_server_answers

ecmp_send --calls
lab_stop bgpd-spare KILL || true
check "bgpd is killed: two balancers receive packets" wait_for 30 ecmp_hops 2
lab_stop sipxdpd-third KILL || true
sleep 2
check "... sipxdpd of a different balancer is killed: nothing changes" ecmp_hops 2
ecmp_none_lost "both"

lab_in third sipxdp-loader detach > /dev/null
check "the health check fails: one balancer receives packets" wait_for 30 ecmp_hops 1
ecmp_send --calls
lab_in third sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_start sipxdpd-again third sipxdpd -c "$LAB_CONFIG"
check "... it is attached again: two balancers receive packets" wait_for 30 ecmp_hops 2
check "... packets reach it" wait_for 10 grows third
ecmp_none_lost "a balancer returns"
tap_end
