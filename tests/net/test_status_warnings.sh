#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Warnings of `status` about a MAC address of the file that is wrong, and about a VIP that this machine does not have.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

OTHER_VIP=192.0.2.11

warns() {
	lab_ctl status | grep -Eq "^warning: *$1"
}

lab_open
lab_flat 2
LAB_POOL="probe: {type: icmp, interval: 200ms, timeout: 150ms}" lab_config dsr "px1, mac: '02:00:00:00:00:99'" px2
lab_in balancer sed -i "s/vip: $LAB_VIP/vip: [$LAB_VIP, $OTHER_VIP]/" "$LAB_CONFIG"
lab_balance

mac=$(lab_in px1 cat /sys/class/net/eth0/address)
check "a server fails, and its MAC address in the file is wrong: status has both addresses" wait_for 20 \
	warns "backend proxies/px1: its MAC address is set to 02:00:00:00:00:99 \\(mac\\), but the network reports $mac\$"
check "... it warns of the failure, too" warns "backend proxies/px1 is (down|suspected): no "
unlike "... a server without a MAC address in the file has no such warning" "$(lab_ctl status)" "px2: its MAC address"

check "without packets, status warns of a VIP that this machine does not have" \
	warns "service sip: $OTHER_VIP is not an address of this machine, and no packet for it has arrived"
lab_in client bash -c 'echo hello > "/dev/udp/$1/5060"' bash "$LAB_VIP"
check "packets for one VIP do not hide that a different VIP is missing" wait_for 10 \
	warns "service sip: $OTHER_VIP is not an address of this machine, although a different VIP of the service is: "
lab_in balancer ip address add "$OTHER_VIP/32" dev eth0
unlike "... with both VIPs no warning remains" "$(lab_ctl status)" "is not an address of this machine"
lab_in balancer ip address del "$OTHER_VIP/32" dev eth0
lab_in balancer ip address del "$LAB_VIP/32" dev eth0
unlike "with a route for the VIPs, a packet is enough" "$(lab_ctl status)" "is not an address of this machine"
tap_end
