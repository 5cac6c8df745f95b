#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The tests that run inside a kernel under test; init starts them. Prints TAP.
#
# usage: guest.sh [SECTION...]     default: all of SECTIONS; `rows` is a part of `packets`
#
# Each section runs in its own process, so that an aborted section does not stop the others.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh
. tests/kernels/relay.sh
. tests/kernels/limits.sh
LAB_CLIENTS=1
LAB_POLL=0.3

SECTIONS="load packets veth tunnels nat vlan dispatcher virtio"
SECTION_SECONDS=900 # on an emulated machine that shares the host with other tests
FRAMES=10000 # of each random test: a million takes two minutes here

# --- the verifier

# Each directory of objects is named after its compiler. The first one holds the shipped objects.
section_load() {
	local LIMITS_DIR=$LAB_DIR directory program
	for directory in build/kernels/objects/*; do
		for program in balancer observer explainer decap call_writer; do
			within_limits $program "${directory##*/}" "$directory/$program.bpf.o"
		done
	done
}

# --- BPF_PROG_TEST_RUN

section_packets() {
	packet_tests build/tests/prog/test_*
}

# Each kind of packet and each helper of the kernel, without the random tests.
section_rows() {
	packet_tests build/tests/prog/test_{balancer,decap,guard,migration,nat,observer}
}

packet_tests() {
	local test
	# The tests share loaded programs: the verifier is slow here.
	export SIPXDP_SHARED=/sys/fs/bpf/packets
	mkdir $SIPXDP_SHARED
	for test; do
		: > "$LAB_DIR/tap"
		SIPXDP_FRAMES=$FRAMES "$test" --jobs 1 --tap="$LAB_DIR/tap" > "$LAB_DIR/criterion" 2>&1 || diag "$test: exit status $?"
		# A failing test prints a line per packet. The first 30 are enough.
		awk '!/^(TAP version|# Criterion|# Running|#$)/ { if (/^[1not]/) lines = 0; if (++lines <= 30) print }' \
			"$LAB_DIR/tap" > "$LAB_DIR/results"
		[ -s "$LAB_DIR/results" ] || diag "$(tail -n 40 "$LAB_DIR/criterion")"
		relay "${test##*/test_}" < "$LAB_DIR/results"
	done
	rm -r $SIPXDP_SHARED
}

# --- packets through a lab

OPTIONS=() # of tests/tools/numbered

# through NAME COMMAND...: replaces the function of numbered.sh. Sends slowly, and also checks that no packet
# changes its backend.
through() {
	local name=$1
	shift
	start_packets --rate 300 --window 32 --streams 64 "${OPTIONS[@]}"
	check "$name" "$@"
	lab_stop numbered || true
	diag "$(cat "$LAB_DIR/numbered.log")"
	is "... none of $(result sent) packets is lost" "$(result lost)" 0
	is "... none goes to a different backend" "$(result moved)" 0
	check "... each backend receives some" all_received_some
}

all_received_some() {
	[ "$(result sent)" -gt 100 ] && ! grep -Eq ' by.* 0( |$)' "$LAB_DIR/numbered.log"
}

# Prints "MODE NAME" of the XDP program on the balancer's interface; nothing without one.
xdp() {
	lab_in balancer ip -j -d link show eth0 |
		jq -r '.[0].xdp // empty | if .mode == 1 then "native" elif .mode == 2 then "generic" else .mode end + " " + .prog.name'
}

upgrade() {
	local _
	for _ in 1 2; do
		lab_in balancer sipxdp-loader upgrade || return 1
	done
}

# --- the loader, the daemon and the balancer on veth

section_veth() {
	lab_flat 2
	lab_config dsr
	lab_balance
	is "veth: the balancer is attached" "$(xdp)" "native balancer"
	through "veth: two upgrades" upgrade
	check "the daemon exits" lab_stop sipxdpd
	through "veth: without the daemon" sleep 1
	check "detach" lab_in balancer sipxdp-loader detach
	is "... leaves nothing" "$(xdp)$(lab_in balancer find /sys/fs/bpf/sipxdp -type f 2> /dev/null)" ""
}

# --- the kernel's tunnel devices remove the outer header

# received DEVICE: the sum of the packets that the device has received on all backends.
received() {
	local backend sum=0
	for backend in "${LAB_BACKENDS[@]}"; do
		sum=$((sum + $(lab_in "$backend" cat "/sys/class/net/$1/statistics/rx_packets")))
	done
	echo $sum
}

# arrived COUNTER: the sum of an IPv6 counter over all backends. Udp6NoPorts counts datagrams without a listener.
arrived() {
	local backend sum=0
	for backend in "${LAB_BACKENDS[@]}"; do
		# shellcheck disable=SC2016 # expanded by awk
		sum=$((sum + $(lab_in "$backend" awk -v name="$1" '$1 == name { print $2 }' /proc/net/snmp6)))
	done
	echo $sum
}

section_tunnels() {
	local backend
	lab_routed 2
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" ip link set tunl0 up
		# The route to the inner source address uses a different interface than the tunnel device.
		lab_in "$backend" sysctl -qw net.ipv4.conf.tunl0.rp_filter=0
	done
	lab_config ipip
	lab_balance
	through "ipip devices on the backends" sleep 2
	is "... they receive every packet" "$(received tunl0)" "$(result sent)"
	fou_devices
	lab_in balancer sipxdp-loader detach > /dev/null
	lab_stop sipxdpd

	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" ip link set sit0 up
		lab_in "$backend" ip -6 tunnel change ip6tnl0 mode any
		lab_in "$backend" ip link set ip6tnl0 up
		lab_in "$backend" sysctl -qw net.ipv4.conf.ip6tnl0.rp_filter=0
	done
	lab_config ipip
	lab_in balancer sed -i "s/vip: .*/vip: $LAB_VIP6/" "$LAB_CONFIG"
	lab_balance
	tunnelled "IPv6 in IPv4, sit devices on the backends" sit0
	lab_in balancer sed -i "s/address: 10.0.1./address: \"2001:db8:1::/; s/}/\"}/" "$LAB_CONFIG"
	lab_ctl reload --move-calls > /dev/null
	wait_for 10 lab_serving 2
	tunnelled "IPv6 in IPv6, ip6tnl devices on the backends" ip6tnl0
	fou_devices_ipv6
}

# The kernel's receiver for GUE passes the inner packets to the ipip devices.
fou_devices() {
	local backend before
	before=$(received tunl0)
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" ip fou add port 6080 gue
	done
	lab_config gue
	lab_ctl reload > /dev/null
	wait_for 10 lab_serving 2
	through "fou on the backends removes the headers of GUE" sleep 2
	is "... it receives every packet" "$(($(received tunl0) - before))" "$(result sent)"
}

# The same with an outer IPv6 header, whose UDP checksum the kernel verifies. An IPv4 VIP and an IPv6 VIP.
fou_devices_ipv6() {
	local backend before
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" ip -6 fou add port 6080 gue
	done
	lab_in balancer sed -i 's/forward: ipip/forward: gue/' "$LAB_CONFIG"
	lab_ctl reload > /dev/null
	wait_for 10 lab_serving 2
	before=$(received ip6tnl0)
	tunnelled "IPv6 in GUE over IPv6, fou on the backends" ip6tnl0 $((before + 20))
	lab_in balancer sed -i "s/vip: .*/vip: $LAB_VIP/" "$LAB_CONFIG"
	lab_ctl reload --move-calls > /dev/null
	before=$(received ip6tnl0)
	through "IPv4 in GUE over IPv6, fou on the backends" sleep 2
	is "... they receive every packet" "$(($(received ip6tnl0) - before))" "$(result sent)"
}

# tunnelled NAME DEVICE [TOTAL]: the device receives 20 messages to the IPv6 VIP, TOTAL in all, and the host's UDP accepts them.
tunnelled() {
	local before
	before=$(arrived Udp6NoPorts)
	send_ipv6 20
	check "$1: the devices receive the messages" wait_for 5 has_received "$2" "${3:-20}"
	check "... and UDP counts them" wait_for 5 has_arrived $((before + 20))
	diag "$2: $(received "$2") packets; $(($(arrived Udp6NoPorts) - before)) datagrams"
}

has_received() {
	[ "$(received "$1")" -eq "$2" ]
}

has_arrived() {
	[ "$(arrived Udp6NoPorts)" -eq "$1" ]
}

send_ipv6() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	lab_in client bash -c 'for ((i = 0; i < $1; i++)); do
		printf "%s\r\n" "OPTIONS sip:a@example.net SIP/2.0" "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK$i" \
			"From: <sip:a@example.net>;tag=1" "To: <sip:a@example.net>" "Call-ID: $i@kernels" "CSeq: 1 OPTIONS" "" > "$3"
		dd if="$3" bs=2048 2> /dev/null > "/dev/udp/$2/5060" # in one datagram: printf would send one per line
	done' send "$1" "$LAB_VIP6" "$LAB_DIR/message"
}

# --- packets from NAT servers take the route that the kernel finds

# answered NAME COMMAND...: like through(); the backends also answer.
answered() {
	through "$@"
	is "... all answers return from the VIP" "$(result answered)" "$(result sent)"
}

section_nat() {
	OPTIONS=(--answers)
	lab_nat 2
	lab_config nat
	lab_in balancer sed -i 's/^interfaces: .*/interfaces: [eth0, eth1]/' "$LAB_CONFIG"
	lab_balance
	answered "nat: two upgrades" upgrade
	check "the daemon exits" lab_stop sipxdpd
	answered "nat: without the daemon" sleep 1
	lab_in balancer sed -i "s/vip: .*/vip: $LAB_VIP6/; s/address: 10.0.1./address: \"2001:db8:1::/; s/}/\"}/" "$LAB_CONFIG"
	lab_daemon
	wait_for 10 lab_serving 2
	send_ipv6 20
	check "nat: the backends' UDP counts 20 messages to the IPv6 VIP" wait_for 5 has_arrived 20
}

# --- the kernel's VLAN devices

# Makes eth0 a VLAN device on a trunk. With VLAN offload the tag is stored beside the frame and not in it: XDP
# cannot see it, and frames that XDP sends lose it.
plug_tagged() {
	plug_untagged "$1" trunk "$3"
	lab_in switch ethtool -K "$1-trunk" txvlan off
	lab_in "$1" ethtool -K trunk txvlan off
	lab_in "$1" ip link add link trunk name "$2" up type vlan id 7
}

# mac HOST INTERFACE
mac() {
	lab_in "$1" cat "/sys/class/net/$2/address"
}

section_vlan() {
	local backend output before
	eval "$(declare -f lab_plug | sed '1s/lab_plug/plug_untagged/')"
	# shellcheck disable=SC2317 # lab_flat calls it
	lab_plug() {
		plug_tagged "$@"
	}
	lab_flat 2
	lab_config dsr

	output=$(lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" 2>&1) || true
	like "the loader reports that a VLAN device does not support native XDP" "$output" "cannot attach to eth0: .*--mode generic"
	check "... generic mode works" lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --mode generic
	lab_daemon
	wait_for 10 lab_serving 2
	through "generic mode on a VLAN device" sleep 1
	lab_stop sipxdpd
	lab_in balancer sipxdp-loader detach > /dev/null

	# The balancer receives tagged frames and has no VLAN device: neither it nor its neighbours can resolve
	# each other's MAC addresses.
	lab_in balancer ip link del eth0
	lab_address balancer trunk "$LAB_BALANCER/24" "$LAB_VIP/32"
	lab_in client ip neigh replace "$LAB_VIP" lladdr "$(mac balancer trunk)" dev eth0 nud permanent
	lab_config dsr
	lab_in balancer sed -i 's/eth0/trunk/' "$LAB_CONFIG"
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in balancer sed -i "s/name: $backend,/name: $backend, mac: '$(mac "$backend" eth0)',/" "$LAB_CONFIG"
	done
	lab_balance
	before=$(received eth0)
	through "native mode below the VLAN devices" sleep 1
	check "... the VLAN devices of the backends receive every packet" \
		[ $(($(received eth0) - before)) -ge "$(result sent)" ]
}

# --- libxdp's dispatcher

# seen: the packets that the second program has counted.
seen() {
	bpftool -j map dump name seen_packets | jq '.[0].formatted.value'
}

# The programs that the dispatcher calls.
others() {
	lab_in balancer xdp-loader status eth0
}

section_dispatcher() {
	local before output status=0
	if ! command -v xdp-loader > /dev/null; then
		skip "libxdp's dispatcher" "xdp-loader is not installed (package xdp-tools)"
		return
	fi
	lab_flat 1
	lab_config dsr
	output=$(lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --dispatcher 2>&1) || status=$?
	# Kernels since 2025 refuse to replace a function that does not change packets by one that does. The
	# dispatcher of an older libxdp has such functions.
	if [ $status -eq 1 ] && [[ $output == *"Extension program changes packet data, while original does not"* ]]; then
		like "--dispatcher: the loader reports the cause" "$output" "needs a libxdp"
		is "... and leaves nothing" "$(xdp)" ""
		skip "libxdp's dispatcher" "this kernel needs a libxdp of 2025 or later"
		return
	fi
	is "attach --dispatcher" "$status $(grep -v ': warning: ' <<< "$output")" \
		"0 balancer attached to eth0, native, by libxdp's dispatcher"
	is "... it is libxdp's" "$(xdp)" "native xdp_dispatcher"
	lab_daemon
	wait_for 10 lab_serving 1
	check "xdp-loader adds a second program" lab_in balancer xdp-loader load -m native -n seen eth0 build/tests/kernels/seen.bpf.o
	like "... both programs are attached" "$(others | xargs)" "seen.* balancer"
	through "upgrade beside the second program" lab_in balancer sipxdp-loader upgrade
	check "... which has counted every packet" [ "$(seen)" -ge "$(result sent)" ]
	check "detach" lab_in balancer sipxdp-loader detach
	unlike "... the balancer is detached" "$(others)" balancer
	like "... the second program remains" "$(others)" seen
	before=$(seen)
	check "... packets pass" lab_in client ping -c 3 -i 0.2 -W 2 "$LAB_BALANCER"
	check "... and the second program counts them" [ "$(seen)" -ge $((before + 3)) ]
	lab_stop sipxdpd
	check "attach beside an attached program" lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --dispatcher
	like "... both programs are attached" "$(others | xargs)" "seen.* balancer"
	lab_daemon
	wait_for 10 lab_serving 1
	check "xdp-loader detaches the second program" lab_in balancer xdp-loader unload eth0 --id "$(others | awk '$3 == "seen" { print $4 }')"
	through "dispatcher: the balancer remains" sleep 1
	check "detach" lab_in balancer sipxdp-loader detach
	is "... leaves nothing" "$(xdp)" ""
}

# --- native XDP in virtio's driver

# The hosts use the machine's network cards instead of veth pairs.
section_virtio() {
	local cards=0
	if [ ! -e /sys/class/net/eth3 ]; then
		skip "native XDP on virtio_net" "this machine does not have four network cards"
		return
	fi
	# shellcheck disable=SC2317 # lab_flat calls it
	lab_plug() {
		ip link set "eth$cards" netns "${LAB_HOLDER[$1]}" name "$2"
		lab_in "$1" ip link set "$2" up
		cards=$((cards + 1))
	}
	lab_flat 2
	lab_config dsr
	is "virtio_net: check finds no blocker" "$(lab_in balancer sipxdp-loader check -c "$LAB_CONFIG" --json |
		jq -r '.interfaces[0] | .driver, .native_xdp, .blocked' | xargs)" "virtio_net yes false"
	lab_balance
	is "virtio_net: the balancer is attached" "$(xdp)" "native balancer"
	diag "virtio_net: $(lab_in balancer ethtool -l eth0 | awk '/^Combined/ { print $2 }' | xargs) queue pairs available and used; $(dmesg | sed -n 's/.*\(XDP request\)/\1/p' | tail -n 1)"
	through "virtio_net: upgrades while sending by XDP_TX" upgrade
	diag "$(lab_in balancer ethtool -S eth0 | grep xdp | grep -v ': 0$' | xargs)"
	check "... the driver sends every packet" [ "$(lab_in balancer ethtool -S eth0 | awk '/rx_queue_0_xdp_tx:|rx0_xdp_tx:/ { print $2 }')" -ge "$(result sent)" ]
	check "detach" lab_in balancer sipxdp-loader detach
	is "... leaves nothing" "$(xdp)" ""
}

# --- main

# one SECTION: runs it in this process, with its own lab and report.
one() {
	lab_open
	"section_$1"
	tap_end
}

if [ "${1:-}" = --section ]; then
	one "$2"
	exit
fi
read -ra sections <<< "${*:-$SECTIONS}"
for section in "${sections[@]}"; do
	since=$SECONDS
	status=0
	report=$(mktemp)
	timeout --kill-after=5 $SECTION_SECONDS "$0" --section "$section" > "$report" 2> "$report.errors" || status=$?
	relay "$section" < "$report"
	[ ! -s "$report.errors" ] || diag "$(cat "$report.errors")"
	diag "$section took $((SECONDS - since)) s, exit status $status"
done
tap_end
