#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0 sipxdp-loader check: for each kind of interface, `attach` has the result that `check`
# has predicted.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

loader() {
	lab_in balancer sipxdp-loader "$@"
}

as_nobody() {
	lab_in balancer setpriv --reuid=65534 --regid=65534 --clear-groups "$(command -v sipxdp-loader)" "$@"
}

# checked INTERFACE FILTER: jq on the description of the interface.
checked() {
	loader check "$1" --json | jq -r ".interfaces[0] | $2" || true
}

blockers() {
	checked "$1" '[.findings[] | select(.severity == "blocker") | .text] | join("; ")'
}

remedies() {
	checked "$1" '[.findings[] | select(.severity == "blocker") | .remedy] | join("; ")'
}

# agrees INTERFACE NAME: check finds a blocker if and only if the kernel refuses a native attachment. decap serves
# for that, because its interfaces are arguments.
agrees() {
	local interface=$1 name=$2 checked=0 attached=0
	loader check "$interface" > /dev/null || checked=$?
	loader attach --program decap "$interface" --address 10.9.9.9 > /dev/null 2>&1 || attached=$?
	[ $attached -ne 0 ] || loader detach --program decap "$interface" > /dev/null
	is "$name: attach has the result of check" "$attached" "$checked"
}

# can_attach INTERFACE NAME
can_attach() {
	is "$2: no blocker" "$(blockers "$1")" ""
	agrees "$1" "$2"
}

# cannot_attach INTERFACE NAME TEXT REMEDY
cannot_attach() {
	like "$2: the blocker is named" "$(blockers "$1")" "$3"
	like "... with the command that removes it" "$(remedies "$1")" "$4"
	agrees "$1" "..."
}

make_interfaces() {
	local interface
	for interface in eth1 eth2 eth3; do
		lab_plug balancer $interface br1
	done
	lab_in switch ip link set dev balancer-eth2 mtu 9000
	lab_in balancer ip link set dev eth2 mtu 9000
	lab_in balancer ip link set dev eth3 xdpdrv object "$LAB_DIR/pass.bpf.o" section xdp.frags
	lab_in balancer ip link add br7 up type bridge
	lab_in balancer ip link set dev eth1 master br7
	lab_in balancer ip link add mac7 link eth2 up type macvlan mode bridge
	lab_in balancer ip tuntap add tap7 mode tap
	lab_in balancer ip tuntap add tun7 mode tun
	lab_in balancer ip link add few7 up numrxqueues 1 type veth peer name many7 numtxqueues 4
	lab_in balancer ethtool -L many7 tx 4
}

kinds() {
	can_attach eth0 "veth"
	is "... the driver is named" "$(checked eth0 '.driver, .native_xdp, .mtu' | xargs)" "veth yes 1500"
	like "... with the requirement for its other end" "$(checked eth0 '.findings[].text')" "must run an XDP program"
	can_attach eth2 "veth with an MTU of 9000"
	is "... its MTU has no limit, because packets may have several buffers" "$(checked eth2 '.mtu, .mtu_limit' | xargs)" "9000 null"
	can_attach tap7 "tap"
	like "... the interface is down" "$(checked tap7 '.findings[].text')" "interface is down"
	cannot_attach tun7 "tun" "no Ethernet header" "interface that carries its packets"
	cannot_attach lo "loopback" "no native XDP" "network card"
	cannot_attach br7 "bridge" "driver bridge has no native XDP" "attach to eth1"
	cannot_attach mac7 "macvlan" "driver macvlan has no native XDP" "attach to eth2"
	cannot_attach few7 "veth with fewer receive queues than its other end sends from" "present configuration" "read the note"
	like "... with a note" "$(checked few7 '.findings[].text')" "as many receive queues as its other end has transmit queues"
}

busy() {
	cannot_attach eth3 "a different XDP program" "XDP program 'pass' .* native is attached" "ip link set dev eth3 xdpdrv off"
	# The remedy is a command that works.
	# shellcheck disable=SC2046 # the words of the command
	check "... the command removes it" lab_in balancer $(remedies eth3)
	can_attach eth3 "afterwards"
	lab_config dsr
	check "attach the balancer" loader attach -c "$LAB_CONFIG"
	is "the balancer's own program is no blocker" "$(blockers eth0)" ""
	is "... and reported" "$(checked eth0 .attached_by_sipxdp)" true
	like "... also as text" "$(loader check eth0)" "balancer.*native, attached by sipxdp"
	like "without privileges it is unknown whether sipxdp attached the program" "$(as_nobody check eth0)" "warning: .* only root can see"
	check "detach" loader detach

	check "attach it with a different directory of pins" loader attach -c "$LAB_CONFIG" --pin-dir /sys/fs/bpf/other
	like "the program of a link" "$(blockers eth0)" "XDP program 'balancer' .* native is attached"
	# shellcheck disable=SC2046 # the words of the command
	check "... the command removes it" lab_in balancer $(remedies eth0)
	is "... it is no longer attached" "$(checked eth0 .xdp_program)" null
	loader detach --pin-dir /sys/fs/bpf/other > /dev/null
}

command_line() {
	local output status=0
	lab_config dsr
	output=$(loader check -c "$LAB_CONFIG") || status=$?
	is "the interfaces of the file: exit status" $status 0
	is "... are checked" "$(sed -n 's/^\([a-z0-9]*\): can be attached natively$/\1/p' <<< "$output")" eth0
	like "... the kernel is named" "$output" "^kernel: Linux .* with type information"
	output=$(loader check) || status=$?
	is "all interfaces, some with blockers: exit status" $status 1
	is "... those with Ethernet headers, and not lo" \
		"$(sed -n 's/^\([a-z0-9]*\): can.*natively$/\1/p' <<< "$output" | LC_ALL=C sort | xargs)" \
		"br7 eth0 eth1 eth2 eth3 few7 mac7 many7 tap7"
	output=$(loader check eth7 2>&1) || status=$?
	is "an interface that does not exist: exit status" $status 1
	like "... message" "$output" "cannot check eth7: there is no such interface"
	output=$(loader check -c "$LAB_CONFIG" eth0 2>&1) || status=$?
	is "a file and an interface: exit status" $status 2
	like "without privileges" "$(as_nobody check eth0)" "eth0: can be attached natively"
}

# attach prints the blockers if it fails.
attach_explains() {
	lab_config dsr
	lab_in balancer sed -i 's/^interfaces: .*/interfaces: [mac7]/' "$LAB_CONFIG"
	like "attach to an interface without native XDP says so" "$(loader attach -c "$LAB_CONFIG" 2>&1 || true)" \
		"sipxdp-loader: mac7: blocker: the driver macvlan has no native XDP \(attach to eth2"
	check "... it works as the remedy says" loader attach -c "$LAB_CONFIG" --mode generic
	loader detach > /dev/null
}

lab_open
lab_flat 1
make_interfaces
kinds
busy
command_line
attach_explains
tap_end
