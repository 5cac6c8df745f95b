#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# docs/ha-ecmp.md with `forward: nat`: requests arrive through all balancers, and all responses return through the second one. So
# most responses pass through a balancer that has not seen the request.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh
. tests/lib/ha.sh
. tests/lib/ha_ecmp.sh

RATE=2000
HA_LEAVE_OUT="vtysh|sed|systemctl restart frr"

# ecmp_all_answered NAME: ends the packets. Each must be answered, from the VIP.
ecmp_all_answered() {
	ecmp_sent
	is "$1: all of $(result sent) packets arrive, and all answers return from the VIP" \
		"$(result lost) $(($(result sent) - $(result answered))) $(result duplicated)" "0 0 0"
	stays
}

lab_open
ecmp_lab nat
ECMP_NO_IPV6=yes # a NAT pool has servers of one address family
ha_write_files "$ECMP_SLOWER; s/\[eth0\]/[eth0, eth1]/; s/vip: \[192.0.2.10, [^]]*\]/vip: 192.0.2.10/
	s/^  - name: proxies$/&\n    forward: nat/; s/10\.0\.0\.1\([123]\)/10.0.1.1\1/"
ha_start
ecmp_frr router
for host in "${HA_BALANCERS[@]}"; do
	ecmp_announce "$host"
	ecmp_bird "$host"
done
check "the router distributes packets over three balancers" wait_for 30 ecmp_hops 3

ecmp_send --calls --answers
for host in "${HA_BALANCERS[@]}"; do
	check "packets reach $host" wait_for 10 grows "$host"
done
ha_run last
check "the balancer returns" wait_for 30 ecmp_hops 3
ecmp_all_answered "away, upgrade and back"

# The balancer with the default gateway of the servers leaves: it still forwards their responses.
ecmp_send --calls --answers
lab_in spare sipxdp-ctl away > /dev/null
check "the balancer with the gateway is away: two balancers receive packets" wait_for 30 ecmp_hops 2
ecmp_all_answered "... the gateway"

before=$(ecmp_packets)
ecmp_send --calls --answers
lab_in switch ip link set dev third-eth0 down
check "a balancer has no network: one balancer receives packets" wait_for 30 ecmp_hops 1
sleep 0.5
ecmp_sent
is "... only those of $(result sent) packets are lost that the router sent to it" "$(result lost)" \
	$(($(result sent) - $(ecmp_packets) + before))
is "... all others are answered" "$(result answered)" "$(result received)"
stays
tap_end
