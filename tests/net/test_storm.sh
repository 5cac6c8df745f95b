#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Balancers with the same file on a switch that floods every frame to all ports: only the balancer to which a frame
# is addressed forwards it. A balancer that forwarded frames for other hosts would create an endless loop, so the
# test shuts the switch down after 4 s in any case.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

COUNT=10
FIRST=0
VIRTUAL=00:00:5e:00:01:0a # the MAC address of a VRRP router
LISTED=02:00:00:00:be:ef

# Makes a host with the balancer's file and program and with its own addresses, but without the VIP.
second_balancer() {
	_lab_host "$1"
	lab_plug "$1" eth0 br0
	lab_address "$1" eth0 "10.0.0.$2/24"
	_lab_own_etc "$1"
	lab_in balancer cat "$LAB_CONFIG" | lab_write "$1" "$LAB_CONFIG"
}

start_balancer() {
	lab_in "$1" sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
	lab_start "sipxdpd-$1" "$1" sipxdpd -c "$LAB_CONFIG"
	wait_for 10 serves "$1"
}

serves() {
	local count
	count=$(lab_in "$1" sipxdp-ctl --json backend list | jq '[.[] | select(.slots > 0)] | length')
	[ "$count" -eq 2 ]
}

flood() {
	local port
	for port in $(lab_in switch ls /sys/class/net/br0/brif); do
		lab_in switch bridge link set dev "$port" learning off flood on
		lab_in switch bridge fdb flush dev "$port" master 2> /dev/null || true
	done
	lab_in switch ip link set dev br0 type bridge ageing_time 0
}

# send TO_MAC: sends messages to the VIP in frames to this MAC address. A permanent neighbour entry avoids ARP.
send() {
	FIRST=$((FIRST + COUNT))
	lab_in client ip neigh replace "$LAB_VIP" lladdr "$1" dev eth0 nud permanent
	lab_in client tests/net/large.py send "$LAB_CLIENT" "$LAB_VIP" 400 may $FIRST $COUNT
}

mac_of() {
	lab_in "$1" cat /sys/class/net/"$2"/address
}

# forwarded HOST...: the sum of the frames that these balancers have forwarded.
forwarded() {
	local host sum=0
	for host in "$@"; do
		sum=$((sum + $(lab_verdict call_id "$host")))
	done
	echo $sum
}

forwarded_is() {
	[ "$(lab_verdict call_id)" -eq "$1" ]
}

storm() {
	local balancers=("$@") host guard
	for host in "${balancers[@]}"; do
		start_balancer "$host"
	done
	flood
	lab_start guard switch sh -c 'sleep 4; ip link set dev br0 down'
	send "$(mac_of balancer eth0)"
	lab_wait guard 10 || true
	is "${#balancers[@]} balancers: each of $COUNT frames is forwarded once" "$(forwarded "${balancers[@]}")" $COUNT
	for host in "${balancers[@]:1}"; do
		check "... $host passes frames for other hosts to its kernel" \
			test "$(lab_verdict other_host "$host")" -ge $COUNT
	done
	lab_in switch ip link set dev br0 up
}

# try_mac MAC EXPECTED NAME: checks how many frames to this MAC address are forwarded.
try_mac() {
	local before
	before=$(lab_verdict call_id)
	send "$1"
	wait_for 3 forwarded_is $((before + $2)) || true
	is "$3" "$(($(lab_verdict call_id) - before))" "$2"
}

own_mac_has() {
	lab_in balancer bpftool -j map dump pinned /sys/fs/bpf/sipxdp/own_macs |
		jq -r '.[].formatted.key.mac.byte | map(tostring) | join(":")' |
		grep -qx "$(sed 's/:/ 0x/g; s/^/0x/' <<< "$1" | xargs printf '%d:%d:%d:%d:%d:%d')"
}

own_mac_has_not() {
	! own_mac_has "$1"
}

addresses() {
	local own
	own=$(mac_of balancer eth0)
	try_mac "$VIRTUAL" 0 "frames to a MAC address of no interface are not forwarded"
	lab_in balancer ip link add vrrp10 link eth0 address "$VIRTUAL" type macvlan mode private
	check "own_macs contains the MAC address of a VRRP interface on eth0" wait_for 5 own_mac_has "$VIRTUAL"
	try_mac "$VIRTUAL" $COUNT "... frames to it are forwarded"
	lab_in balancer ip link del vrrp10
	check "... own_macs no longer contains it after the interface is removed" wait_for 5 own_mac_has_not "$VIRTUAL"
	lab_in balancer ip link add lan address 02:00:00:00:00:44 type bridge
	lab_in balancer ip link set dev eth0 master lan
	check "own_macs contains the MAC address of the bridge whose port eth0 is" wait_for 5 own_mac_has 02:00:00:00:00:44
	lab_in balancer ip link del lan
	lab_in balancer sed -i "1i macs: [$LISTED]" "$LAB_CONFIG"
	lab_ctl reload > /dev/null
	try_mac "$LISTED" $COUNT "frames to a MAC address in the file are forwarded"
	lab_stop sipxdpd-balancer
	lab_in balancer sipxdp-loader detach > /dev/null
	lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null 2>&1
	check "attach itself writes the MAC address of the interface" own_mac_has "$own"
}

lab_open
lab_flat 2
lab_config dsr
second_balancer second 3
second_balancer third 4
storm balancer second third
addresses
tap_end
