#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Reloads that move the listener of `metrics:` while many clients wait for their pages: the daemon continues.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

# write PORT: the file with `metrics:` at this port
write() {
	LAB_SECTIONS="metrics: {listen: '$LAB_BALANCER:$1'}" lab_config dsr
}

# reloads: moves the listener 30 times. A daemon with the fault ended in three runs at the 1st, 6th and 20th time.
reloads() {
	local i
	for ((i = 1; i <= 30; i++)); do
		write $((9464 + i % 2))
		lab_ctl reload || return
	done
}

# loaded PORT: the clients have received pages from this port
loaded() {
	grep -q served "$LAB_DIR/load-$1.log"
}

lab_open
lab_flat 2
write 9464
lab_balance
for port in 9464 9465; do
	lab_start load-$port client python3 tests/net/clients.py "$LAB_BALANCER" $port load 60 / /metrics \
		/api/v1/services /api/v1/pools /api/v1/backends /api/v1/stats /api/v1/history
done
check "60 clients receive pages" wait_for 20 loaded 9464
check "30 reloads move the listener" reloads
check "... the clients find it at each port" wait_for 20 loaded 9465
check "the daemon stops cleanly under this load" lab_stop sipxdpd
tap_end
