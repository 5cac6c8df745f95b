#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What is tested within a kernel under test, by init. Prints TAP.
#
# usage: guest.sh [SECTION...]     SECTIONS has them
#
# Each section is a process of its own, so that one that breaks off does not take the
# others with it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh
. tests/lib/numbered.sh
. tests/kernels/relay.sh
. tests/kernels/limits.sh
LAB_CLIENTS=1

SECTIONS="load packets veth tunnels vlan dispatcher virtio"
SECTION_SECONDS=900 # of an emulated machine beside other tests
FRAMES=30000 # of the differential test, whose million takes two minutes here

# There is no compiler here. The host has built what lab.sh asks it for.
clang() {
	cp build/tests/lib/pass.bpf.o "${!#}"
}

# --- the verifier

# Directories of objects are named after the compiler; the first one has what is shipped.
section_load() {
	local LIMITS_DIR=$LAB_DIR directory program
	for directory in build/kernels/objects/*; do
		for program in balancer decap; do
			within_limits $program "${directory##*/}" "$directory/$program.bpf.o"
		done
	done
}

# --- BPF_PROG_TEST_RUN

section_packets() {
	local test
	for test in build/tests/prog/test_*; do
		: > "$LAB_DIR/tap"
		SIPXDP_FRAMES=$FRAMES "$test" --jobs 1 --tap="$LAB_DIR/tap" > "$LAB_DIR/criterion" 2>&1 || diag "$test: exit status $?"
		# One that fails says so for every packet: the beginning is enough.
		awk '!/^(TAP version|# Criterion|# Running|#$)/ { if (/^[1not]/) said = 0; if (++said <= 30) print }' \
			"$LAB_DIR/tap" > "$LAB_DIR/results"
		[ -s "$LAB_DIR/results" ] || diag "$(tail -n 40 "$LAB_DIR/criterion")"
		relay "${test##*/test_}" < "$LAB_DIR/results"
	done
}

# --- packets through a lab

# through NAME COMMAND...: in the place of that of numbered.sh; slowly, and none may go
# elsewhere either.
through() {
	local name=$1
	shift
	start_packets --rate 300 --window 32 --streams 64
	check "$name" "$@"
	lab_stop numbered || true
	diag "$(cat "$LAB_DIR/numbered.log")"
	is "... of $(result sent) packets none was lost" "$(result lost)" 0
	is "... none went to another backend" "$(result moved)" 0
	check "... each of the backends had its share" all_had_some
}

all_had_some() {
	[ "$(result sent)" -gt 100 ] && ! grep -Eq ' by.* 0( |$)' "$LAB_DIR/numbered.log"
}

# "MODE NAME" of the XDP program of the balancer's interface, empty if it has none.
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
	through "the program is replaced twice" upgrade
	check "the daemon ends" lab_stop sipxdpd
	through "without the daemon" sleep 1
	check "detach" lab_in balancer sipxdp-loader detach
	is "... leaves nothing" "$(xdp)$(lab_in balancer find /sys/fs/bpf/sipxdp -type f 2> /dev/null)" ""
}

# --- the kernel's own tunnel devices take the outer header off

# received DEVICE: packets that it has given to the backends, all together.
received() {
	local backend sum=0
	for backend in "${LAB_BACKENDS[@]}"; do
		sum=$((sum + $(lab_in "$backend" cat "/sys/class/net/$1/statistics/rx_packets")))
	done
	echo $sum
}

# arrived COUNTER: of the backends' UDP, all together. Nobody need listen.
arrived() {
	local backend sum=0
	for backend in "${LAB_BACKENDS[@]}"; do
		# shellcheck disable=SC2016 # awk's, not the shell's
		sum=$((sum + $(lab_in "$backend" awk -v name="$1" '$1 == name { print $2 }' /proc/net/snmp6)))
	done
	echo $sum
}

section_tunnels() {
	local backend
	lab_routed 2
	for backend in "${LAB_BACKENDS[@]}"; do
		lab_in "$backend" ip link set tunl0 up
		# What comes out of a tunnel has an address that another interface leads to.
		lab_in "$backend" sysctl -qw net.ipv4.conf.tunl0.rp_filter=0
	done
	lab_config ipip
	lab_balance
	through "ipip devices at the backends" sleep 2
	is "... each packet came out of one of them" "$(received tunl0)" "$(result sent)"
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
	tunnelled "IPv6 in IPv4, sit devices at the backends" sit0
	lab_in balancer sed -i "s/address: 10.0.1./address: \"2001:db8:1::/; s/}/\"}/" "$LAB_CONFIG"
	lab_ctl reload > /dev/null
	wait_for 10 lab_serving 2
	tunnelled "IPv6 in IPv6, ip6tnl devices at the backends" ip6tnl0
}

# tunnelled NAME DEVICE: 20 messages to the IPv6 VIP come out of the device and are good.
tunnelled() {
	local before
	before=$(arrived Udp6NoPorts)
	send_ipv6 20
	check "$1: they come out" wait_for 5 has_received "$2" 20
	check "... and reach UDP there" wait_for 5 has_arrived $((before + 20))
	diag "$2: $(received "$2") packets; $(($(arrived Udp6NoPorts) - before)) datagrams"
}

has_received() {
	[ "$(received "$1")" -eq "$2" ]
}

has_arrived() {
	[ "$(arrived Udp6NoPorts)" -eq "$1" ]
}

send_ipv6() {
	# shellcheck disable=SC2016 # the inner shell's
	lab_in client bash -c 'for ((i = 0; i < $1; i++)); do
		printf "%s\r\n" "OPTIONS sip:a@example.net SIP/2.0" "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK$i" \
			"From: <sip:a@example.net>;tag=1" "To: <sip:a@example.net>" "Call-ID: $i@kernels" "CSeq: 1 OPTIONS" "" > "$3"
		dd if="$3" bs=2048 2> /dev/null > "/dev/udp/$2/5060" # in one piece: printf sends each line
	done' send "$1" "$LAB_VIP6" "$LAB_DIR/message"
}

# --- the kernel's own VLAN devices

# Plugs eth0 in as a VLAN device on a trunk. A tag that is left to the hardware is beside
# the frame and not in it: XDP does not see it, and what XDP sends has lost it.
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
	like "a VLAN device has no native XDP, says the loader" "$output" "cannot attach to eth0: .*--mode generic"
	check "... generic mode it has" lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --mode generic
	lab_daemon
	wait_for 10 lab_serving 2
	through "generic mode on a VLAN device" sleep 1
	lab_stop sipxdpd
	lab_in balancer sipxdp-loader detach > /dev/null

	# The balancer sees tags, and has no VLAN device: nobody resolves its neighbours
	# for it, nor it for them.
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
	through "native mode below the VLANs" sleep 1
	check "... each packet came out of the VLAN device of a backend" \
		[ $(($(received eth0) - before)) -ge "$(result sent)" ]
}

# --- libxdp's dispatcher

# seen: packets that the other program has counted.
seen() {
	bpftool -j map dump name seen_packets | jq '.[0].formatted.value'
}

# What the dispatcher calls.
others() {
	lab_in balancer xdp-loader status eth0
}

section_dispatcher() {
	local before output status=0
	if ! command -v xdp-loader > /dev/null; then
		skip "libxdp's dispatcher" "there is no xdp-loader (package xdp-tools)"
		return
	fi
	lab_flat 1
	lab_config dsr
	output=$(lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --dispatcher 2>&1) || status=$?
	# Since 2025 a kernel asks whether the function that is to be replaced changes packets;
	# an older libxdp's dispatcher has functions that do not.
	if [ $status -eq 1 ] && [[ $output == *"Extension program changes packet data, while original does not"* ]]; then
		like "--dispatcher: the loader says what is wrong" "$output" "needs a libxdp"
		is "... and leaves nothing" "$(xdp)" ""
		skip "libxdp's dispatcher" "this kernel needs a libxdp of 2025 or later"
		return
	fi
	is "attach --dispatcher" "$status $(grep -v ': warning: ' <<< "$output")" \
		"0 balancer attached to eth0, native, by libxdp's dispatcher"
	is "... it is libxdp's" "$(xdp)" "native xdp_dispatcher"
	lab_daemon
	wait_for 10 lab_serving 1
	check "xdp-loader adds another program" lab_in balancer xdp-loader load -m native -n seen eth0 build/tests/kernels/seen.bpf.o
	like "... both are there" "$(others | xargs)" "seen.* balancer"
	through "upgrade beside the other one" upgrade
	check "... which has seen every packet" [ "$(seen)" -ge "$(result sent)" ]
	check "detach" lab_in balancer sipxdp-loader detach
	unlike "... ours has gone" "$(others)" balancer
	like "... the other one stays" "$(others)" seen
	before=$(seen)
	check "... packets pass" lab_in client ping -c 3 -i 0.2 -W 2 "$LAB_BALANCER"
	check "... and are counted" [ "$(seen)" -ge $((before + 3)) ]
	lab_stop sipxdpd
	check "attach where the other one is already" lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" --dispatcher
	like "... both are there" "$(others | xargs)" "seen.* balancer"
	lab_daemon
	wait_for 10 lab_serving 1
	check "xdp-loader takes the other one away" lab_in balancer xdp-loader unload eth0 --id "$(others | awk '$3 == "seen" { print $4 }')"
	through "ours stays" sleep 1
	check "detach" lab_in balancer sipxdp-loader detach
	is "... leaves nothing" "$(xdp)" ""
}

# --- native XDP in virtio's driver

# The hosts get the machine's cards in turn, instead of veths.
section_virtio() {
	local cards=0
	if [ ! -e /sys/class/net/eth3 ]; then
		skip "native XDP on virtio_net" "this machine has no four cards"
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
	lab_balance
	is "virtio_net: the balancer is attached" "$(xdp)" "native balancer"
	diag "virtio_net: $(lab_in balancer ethtool -l eth0 | awk '/^Combined/ { print $2 }' | xargs) queue pairs there and used; $(dmesg | sed -n 's/.*\(XDP request\)/\1/p' | tail -n 1)"
	through "virtio_net, back by the same card" upgrade
	diag "$(lab_in balancer ethtool -S eth0 | grep xdp | grep -v ': 0$' | xargs)"
	check "... each packet was sent on by the driver" [ "$(lab_in balancer ethtool -S eth0 | awk '/rx_queue_0_xdp_tx:|rx0_xdp_tx:/ { print $2 }')" -ge "$(result sent)" ]
	check "detach" lab_in balancer sipxdp-loader detach
	is "... leaves nothing" "$(xdp)" ""
}

# --- main

# one SECTION: in a process of its own, with a lab and a report of its own.
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
