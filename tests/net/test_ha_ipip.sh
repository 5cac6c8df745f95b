#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# docs/ha.md with `forward: ipip`: the servers accept tunnels from both balancers, and a move of the VIPs loses no packet.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh
. tests/lib/ha.sh

RATE=2000

lab_open
lab_routed 3
ha_prepare
lab_in spare ip route add default via 10.0.0.1
for backend in "${LAB_BACKENDS[@]}"; do
	lab_in "$backend" sipxdp-loader attach --program decap eth0 --from "$LAB_BALANCER" --from "$HA_SPARE" > /dev/null
done
ha_write_files "$HA_SLOWER; "'s/^  - name: proxies$/&\n    forward: ipip/; s/10\.0\.0\.1\([123]\)/10.0.1.1\1/'
ha_start
ha_keepalived balancer
check "the first balancer gets the VIPs" wait_for 15 ha_has_vips balancer
ha_keepalived spare
check "the second balancer is the backup" wait_for 15 ha_is_backup spare

start_packets --rate $RATE --calls
ha_run last
check "away: the VIPs move to the second balancer" wait_for 15 ha_moved balancer spare
sleep 0.5
lab_stop numbered || true
diag "$(cat "$LAB_DIR/numbered.log")"
is "away, upgrade and back: none of $(result sent) packets is lost" "$(result lost)" 0
is "... none is duplicated" "$(result duplicated)" 0
stays
tap_end
